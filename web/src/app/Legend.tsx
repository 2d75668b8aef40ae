/** What the colours of an overlay stand for. */

import { THEMES } from "../scene/theme.ts";
import type { Colouring } from "./colouring.ts";
import { tint } from "./overlay.ts";

const STEPS = 24;

export function Legend({ colouring: { overlay, scale, theme } }: { colouring: Colouring }) {
  return (
    <div class="legend" role="group" aria-label={`Legend: ${overlay.title}`}>
      <h2>
        {overlay.title}
        {scale.kind === "numbers" && scale.log && <small> logarithmic</small>}
      </h2>
      {scale.kind === "words" ? (
        <ul>
          {scale.words.map((word) => (
            <li key={word}>
              <i style={{ background: tint(scale, THEMES[theme], word).bar }} />
              {word}
            </li>
          ))}
        </ul>
      ) : (
        <Ramp colouring={{ overlay, scale, theme }} />
      )}
    </div>
  );
}

function Ramp({ colouring: { overlay, scale, theme } }: { colouring: Omit<Colouring, "tints"> }) {
  // Open boxes are not coloured: what is around others may have a number all the same.
  if (scale.to === 0 && scale.from === 0) return <p>no closed box has any</p>;
  const at = (share: number): number =>
    scale.log ? scale.from * (scale.to / scale.from) ** share : scale.from + (scale.to - scale.from) * share;
  return (
    <>
      <div class="ramp" aria-hidden="true">
        {Array.from({ length: STEPS }, (_, i) => (
          <i key={i} style={{ background: tint(scale, THEMES[theme], at(i / (STEPS - 1))).fill }} />
        ))}
      </div>
      <p class="ends">
        <span>{overlay.text(scale.from)}</span>
        <span>{overlay.text(scale.to)}</span>
      </p>
    </>
  );
}
