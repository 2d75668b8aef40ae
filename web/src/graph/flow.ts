/** Where each value really comes from, and which calls do not depend on what the user passed in. */

import type { Call } from "../contract/graph.ts";
import { type CallTree, isLeaf } from "./calls.ts";

export interface Flow {
  /** By value: the value in whose place it stands, after passing through wrappers that return what they were given. */
  readonly origin: Int32Array;
  /** By call: 1 where nothing inside depends on an input or a parameter (masks, positions, other constants). */
  readonly constant: Uint8Array;
}

/** Random sources make something new on each run, so they are no constants. */
const RANDOM = /(^|\.)_*(rand|randn|randint|normal|bernoulli|multinomial|poisson|uniform|randperm)/;

export function flow(tree: CallTree): Flow {
  const origin = origins(tree);
  return { origin, constant: constants(tree, origin) };
}

/** A value made by a call that has an inside was passed through: follow it to a value made by a leaf. */
function origins(tree: CallTree): Int32Array {
  const { values } = tree.graph;
  const origin = new Int32Array(values.length).fill(-1);
  for (let start = 0; start < values.length; start++) {
    const trail: number[] = [];
    let at = start;
    while (origin[at] === -1) {
      trail.push(at);
      origin[at] = at;
      const value = values[at]!;
      const isMade = value.producer !== null && (isLeaf(tree, value.producer) || value.kind === "input");
      const earlier = value.alias_of ?? value.previous ?? value.view_of;
      if (isMade || earlier === null) break;
      at = earlier;
    }
    const end = origin[at]!;
    for (const step of trail) origin[step] = end;
  }
  return origin;
}

function constants(tree: CallTree, origin: Int32Array): Uint8Array {
  const { calls, values } = tree.graph;
  const constant = new Uint8Array(calls.length);
  const varies = (value: number): boolean => {
    const { kind, producer } = values[origin[value]!]!;
    if (producer !== null) return constant[producer] === 0;
    return kind !== "constant" && kind !== "buffer";
  };
  for (const call of calls) {
    if (isLeaf(tree, call.id) && call.kind !== "saved" && !isRandom(call) && !call.inputs.some(varies))
      constant[call.id] = 1;
  }
  for (let id = calls.length - 1; id >= 0; id--) {
    const children = tree.children[id]!;
    if (children.length > 0 && children.every((child) => constant[child] === 1)) constant[id] = 1;
  }
  return constant;
}

function isRandom(call: Call): boolean {
  return call.kind !== "module" && RANDOM.test(call.name);
}
