/** A call's arguments as a person would write them. */

import type { Call, Tree } from "../contract/graph.ts";
import { figure } from "../graph/numbers.ts";
import { shapeText } from "../graph/shapes.ts";
import type { Model } from "./model.ts";

/** Longer lists are cut. */
const MOST = 12;
const LONGEST = 2000;

/** `input = 1×64×56×56, stride = 2`; tensors stand there as their shapes, long numbers in short. */
export function argumentsText(model: Model, call: Call, inFull = false): string {
  const { keys, items } = call.arguments;
  if (items.length === 0) return "none";
  return items
    .map((item, i) => (keys[i] ? `${keys[i]} = ` : "") + treeText(model, call, item, inFull))
    .join(", ")
    .slice(0, LONGEST);
}

/** The name under which each input was handed over, by its slot. */
export function slotNames(tree: Tree): Map<number, string> {
  const found = new Map<number, string>();
  const waiting: { tree: Tree; name: string }[] = [{ tree, name: "" }];
  for (let at = waiting.pop(); at; at = waiting.pop()) {
    const { tree: here, name } = at;
    if (here === null || typeof here !== "object") continue;
    if ("slot" in here) found.set(here.slot, name);
    else if ("items" in here)
      here.items.forEach((item, i) => waiting.push({ tree: item, name: join(name, here.keys[i] ?? String(i)) }));
  }
  return found;
}

function join(around: string, key: string): string {
  return around ? `${around}.${key}` : key;
}

/** A setting or an argument. */
export function treeText(model: Model, call: Call, tree: Tree, inFull = false): string {
  if (tree === null) return "None";
  if (typeof tree === "boolean") return tree ? "True" : "False";
  if (typeof tree === "string") return JSON.stringify(tree);
  if (typeof tree === "number") return inFull ? String(tree) : figure(tree);
  if ("slot" in tree) return slotText(model, call, tree.slot);
  if ("text" in tree) return tree.text;
  const parts = tree.items.slice(0, MOST).map((item, i) => {
    const text = treeText(model, call, item, inFull);
    return tree.keys[i] ? `${tree.keys[i]}: ${text}` : text;
  });
  if (tree.items.length > MOST) parts.push(`… ${tree.items.length - MOST} more`);
  const inside = parts.join(", ");
  if (tree.keys.length > 0) return `{${inside}}`;
  return tree.type === "list" ? `[${inside}]` : `(${inside})`;
}

function slotText({ graph }: Model, call: Call, slot: number): string {
  const id = call.inputs[slot];
  return id === undefined ? "tensor" : shapeText(graph.values[id]!);
}
