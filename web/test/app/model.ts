/** A captured network as the page holds it, with numbers that are easy to check. */

import type { Extras } from "../../src/app/document.ts";
import { type Model, modelOf } from "../../src/app/model.ts";
import { payload, payloadText } from "../payloads.ts";

export function modelFor(name: string): Model {
  const graph = payload(name);
  const zeros = graph.calls.map(() => 0);
  const extras: Extras = {
    numbers: {
      ...{ parameters: graph.calls.map(({ id }) => id), weight_bytes: zeros, flops: zeros, activation_bytes: zeros },
      ...{ at_least: [], own_seconds: [] },
    },
    overlays: [],
    totals: { parameters: 0, trainable: 0, parameter_bytes: 0, flops: 0, activation_bytes: 0, exact: true },
    version: "0",
    view: null,
  };
  return modelOf({ graph, text: payloadText(name), extras });
}
