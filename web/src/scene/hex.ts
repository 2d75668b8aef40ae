/** Colours as `#rrggbb`. */

export type Hex = `#${string}`;

/** The colour `part` of the way from one to another. */
export function mix(from: string, to: string, part: number): Hex {
  const channel = (i: number): string => {
    const [a, b] = [from, to].map((text) => parseInt(text.slice(1 + 2 * i, 3 + 2 * i), 16));
    return Math.round(a! + (b! - a!) * part)
      .toString(16)
      .padStart(2, "0");
  };
  return `#${channel(0)}${channel(1)}${channel(2)}`;
}

export function isDark(colour: string): boolean {
  return parseInt(colour.slice(1, 3), 16) < 128;
}

/** Okabe and Ito's hues, which colour-blind people can tell apart: https://jfly.uni-koeln.de/color/ */
export const OKABE_ITO = {
  blue: "#0072b2",
  orange: "#e69f00",
  green: "#009e73",
  purple: "#cc79a7",
  sky: "#56b4e9",
  vermillion: "#d55e00",
  yellow: "#f0e442",
} as const;
