/** A captured network as the page holds it, with numbers that are easy to check: each call's parameters are its id. */

import type { Measure, Payload } from "../../src/contract/payload.ts";
import { type Model, modelOf } from "../../src/app/model.ts";
import { payload } from "../payloads.ts";

export function measureOf(name: string, values: Measure["values"], more: Partial<Measure> = {}): Measure {
  return {
    name,
    title: name,
    unit: "",
    aggregate: "sum",
    of_weights: false,
    linear: false,
    overlay: false,
    values,
    at_least: [],
    ...more,
  };
}

export function modelFor(name: string, more: Partial<Payload> = {}): Model {
  const known = payload(name);
  const ids = known.graph.calls.map(({ id }) => id);
  const none = ids.map(() => 0);
  const measures = [
    measureOf("params", ids, { of_weights: true }),
    measureOf("flops", none),
    measureOf("activations", none, { unit: "B" }),
  ];
  const whole = { ...known, measures, ...more };
  const totals = { parameters: 0, trainable: 0, parameter_bytes: 0, flops: 0, activation_bytes: 0, exact: true };
  return modelOf({ payload: whole, text: JSON.stringify(whole), about: { totals, version: "0" } });
}
