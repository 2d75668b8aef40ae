/** Small pieces of the panel. */

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { copy } from "./copy.ts";
import { type Mark, SIGNS } from "../scene/marks.ts";
import { type Hue, HUES } from "../scene/theme.ts";

export function Part({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section class="part">
      <h3>{title}</h3>
      {children}
    </section>
  );
}

/** A name and what it is; the exact number where a rounded one is shown. */
export function Fact({ name, exact, children }: { name: string; exact?: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <span class="fact-name">{name}</span>
      <span class="fact-text" title={exact}>
        {children}
      </span>
    </div>
  );
}

export function Copyable({ text }: { text: string }) {
  const [done, setDone] = useState(false);
  const press = (): void => {
    void copy(text).then((worked) => {
      setDone(worked);
      setTimeout(() => setDone(false), 1500);
    });
  };
  return (
    <span class="copyable">
      <code>{text}</code>
      <button class="inline" aria-label={`Copy ${text.slice(0, 100)}`} onClick={press}>
        {done ? "copied" : "copy"}
      </button>
    </span>
  );
}

/** The hue of a box, as its bar has it in the drawing; what is an end has none. */
export function Dot({ hue }: { hue: Hue }) {
  return <span class="dot" data-hue={hue} style={hue === "end" ? {} : { background: HUES[hue] }} aria-hidden="true" />;
}

/** A mark as a sign on its colour. */
export function Sign({ mark }: { mark: Mark }) {
  return (
    <i class="sign" role="img" aria-label={mark} title={mark} style={{ background: SIGNS[mark].hue }}>
      {SIGNS[mark].sign}
    </i>
  );
}
