/** Families of operations: what shares a hue in the drawing. */

import type { Call } from "../contract/graph.ts";
import { isAround } from "./calls.ts";

export type Family =
  | "convolution"
  | "linear"
  | "normalisation"
  | "activation"
  | "pooling"
  | "attention"
  | "recurrent"
  | "embedding"
  | "arithmetic"
  | "movement"
  | "saved"
  | "module";

/** The first family whose words occur in a name decides. */
const WORDS: readonly (readonly [Family, RegExp])[] = [
  ["attention", /attention|attn|sdpa/],
  ["recurrent", /lstm|gru|rnn/],
  ["embedding", /embed/],
  ["normalisation", /norm|^lrn|frn$/],
  ["convolution", /conv/],
  ["pooling", /pool|interpolate|upsample|pixelshuffle|pixel_shuffle|grid_sample|unfold$|^fold$/],
  ["linear", /linear|matmul|^mm$|^bmm$|addmm|baddbmm|gemm|einsum|^mv$|^dot$|^inner$|^outer$/],
  [
    "activation",
    /relu|gelu|silu|swish|mish|sigmoid|tanh|softmax|softplus|softmin|elu$|elu_|hardtanh|glu$|dropout|logsigmoid|threshold|softsign|activation/,
  ],
  [
    "movement",
    /^(getitem|setitem|index|view|reshape|flatten|unflatten|permute|transpose|t|mt|contiguous|cat|concat|stack|split|chunk|unbind|squeeze|unsqueeze|expand|repeat|roll|flip|pad|clone|detach|copy|to|type_as|float|half|bfloat16|long|int|bool|select|narrow|slice|gather|gathernd|gatherelements|scatter|scatternd|scatterelements|cast|castlike|constant|constantofshape|depthtospace|spacetodepth|identity|range|compress|reversesequence|optional|sequenceat|movedim|swapaxes|tile|arange|zeros|ones|full|empty|tensor|zeros_like|ones_like|full_like|empty_like|new_zeros|new_ones|size|shape|numel|item|masked_fill|where|tril|triu|index_select|index_put|unsafe_view|as_strided|to_copy|copy_slices)$/,
  ],
];

/** What shares a hue with a call, by its short name. */
export function familyOf({ kind }: Call, name: string): Family {
  if (kind === "saved") return "saved";
  if (kind === "backward") return family(words(name), "arithmetic");
  return family(name, isAround(kind) ? "module" : "arithmetic");
}

/** `UnsafeView` as functions are written: `unsafe_view`. */
function words(name: string): string {
  return name.replace(/([a-z\d])(?=[A-Z])/g, "$1_");
}

const known = new Map<string, Family>();

/** The family of a function, by its short name, or of a module, by its class; `fallback` where no word fits. */
export function family(name: string, fallback: "arithmetic" | "module"): Family {
  const key = `${fallback} ${name}`;
  let found = known.get(key);
  if (!found) {
    const word = name.toLowerCase().replace(/^_+|_+$/g, "");
    found = WORDS.find(([, pattern]) => pattern.test(word))?.[0] ?? fallback;
    if (known.size < 10000) known.set(key, found);
  }
  return found;
}
