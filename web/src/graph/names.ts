/** How a call is named for short: the rule of `torchatlas/core/operators/names.py`. */

import type { Call } from "../contract/graph.ts";
import { BINARY, METHODS, OVERLOAD, PREFIXES } from "../contract/operators.ts";

/** A name with the count of repeats that a group holds: `Residual ×35`. */
export function labelOf({ name, repeats }: Call): string {
  return repeats > 1 ? `${name} ×${repeats}` : name;
}

/** `torch.nn.functional.relu` is `relu`, `Tensor.__add__` `add`, `aten.mm.default` `mm`, `AddmmBackward0` `Addmm`. */
export function shortName(call: Call): string {
  const { kind, name } = call;
  if (kind === "backward") return name.replace(/(.)Backward\d*$/, "$1");
  return kind === "function" || kind === "aten" ? operator(name, kind === "aten") : labelOf(call);
}

function operator(name: string, overloaded: boolean): string {
  const parts = name.split(".");
  const inAten = parts.length > 2 && (overloaded || parts[0] === "aten");
  const hasOverload = parts.length === 3 && !PREFIXES.has(parts[0]!) && OVERLOAD.test(parts[2]!);
  const bare = inAten || hasOverload ? parts[1]! : parts[parts.length - 1]!;
  const method = /^__(.+)__$/.exec(bare)?.[1];
  return method === undefined ? bare : written(method);
}

/** `add` of `__add__` and of `__radd__`, `add_` of `__iadd__`, `index` of `__getitem__`. */
function written(method: string): string {
  const whole = BINARY[method] ?? METHODS[method];
  if (whole !== undefined) return whole;
  const [mark, word] = [method[0], BINARY[method.slice(1)]];
  if (word === undefined || (mark !== "r" && mark !== "i")) return method;
  return mark === "i" ? `${word}_` : word;
}
