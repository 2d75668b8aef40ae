/**
 * The payload: core.graph's dataclasses as JSON, field by field, plus the folds that core.fold found.
 * Tuples are arrays; a Slot is {slot}, a Text is {text}, a Node is {type, keys, items}.
 */

export type CallKind = "module" | "function" | "aten" | "autograd_function";
export type ValueKind = "input" | "parameter" | "buffer" | "constant" | "activation" | "output";
export type Arithmetic = "counted" | "elementwise" | "movement" | "unknown";

/** Where a tensor stood among a call's inputs or outputs. */
export interface Slot {
  slot: number;
}

/** Something that is neither tensor, plain, nor container, as printed. */
export interface Text {
  text: string;
}

/** A container; `keys` are dictionary keys, dataclass fields or argument names, empty for a list or tuple. */
export interface Node {
  type: string;
  keys: string[];
  items: Tree[];
}

export type Tree = null | boolean | number | string | Slot | Text | Node;

/** A place in the user's code; `line` from 1, columns from 0. */
export interface Source {
  file: string;
  line: number;
  column: number | null;
  end_line: number | null;
  end_column: number | null;
}

/** One tensor at one version. */
export interface Value {
  id: number;
  kind: ValueKind;
  names: string[];
  shape: number[];
  dtype: string;
  device: string;
  nbytes: number | null;
  requires_grad: boolean;
  producer: number | null;
  slot: number | null;
  previous: number | null;
  same_as: number | null;
  view_of: number | null;
  storage: number | null;
  freed: number | null;
  type: string;
}

/** One thing that ran; `flops` are its own, its children's not included. */
export interface Call {
  id: number;
  kind: CallKind;
  name: string;
  path: string | null;
  parent: number | null;
  inputs: number[];
  outputs: number[];
  arguments: Node;
  returns: Tree;
  writes: number[];
  flops: number;
  arithmetic: Arithmetic;
  source: Source | null;
  error: string | null;
  reads_data: boolean;
  thread: number;
  seconds: number | null;
}

/** One nn.Module of the model, called or not. */
export interface Module {
  path: string;
  name: string;
  aliases: string[];
  parameters: [string, number][];
  buffers: [string, number][];
  settings: [string, Tree][];
  extra: string;
  training: boolean;
  opaque: boolean;
}

/** Something that the reader must know beside the numbers. */
export interface Note {
  text: string;
  call: number | null;
}

/** `count` repeats of `period` calls each: `calls` are all of them, in order, children of `parent`. */
export interface Fold {
  parent: number;
  calls: number[];
  period: number;
  count: number;
  kind: "stack" | "loop";
  carried: number;
}

/** One run of a model. */
export interface Graph {
  name: string;
  calls: Call[];
  values: Value[];
  modules: Module[];
  notes: Note[];
  error: number | null;
  made: [string, string][];
  folds: Fold[];
}
