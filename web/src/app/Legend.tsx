/** What the colours stand for, as the files that are saved say it below the picture. */

import type { Legend as Said } from "../contract/scene.ts";

export function Legend({ legend: { title, note, scale, samples } }: { legend: Said }) {
  return (
    <div class="legend" role="group" aria-label={`Legend: ${title}`}>
      <h2>
        {title}
        {scale && note && <small> {note}</small>}
      </h2>
      {!scale && note && <p>{note}</p>}
      {!scale && (
        <ul>
          {samples.map(({ text, fill, line }) => (
            <li key={text}>
              <i style={{ background: fill, borderColor: line }} />
              {text}
            </li>
          ))}
        </ul>
      )}
      {scale && (
        <>
          <div class="ramp" aria-hidden="true">
            {samples.map(({ fill }, i) => (
              <i key={i} style={{ background: fill }} />
            ))}
          </div>
          <p class="ends">
            <span>{samples[0]!.text}</span>
            <span>{samples[samples.length - 1]!.text}</span>
          </p>
        </>
      )}
    </div>
  );
}
