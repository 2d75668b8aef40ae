/** All that is known about what is selected; about the run, where nothing is. */

import type { ComponentChildren } from "preact";
import type { Call, Module, Value } from "../contract/graph.ts";
import { shortName } from "../graph/names.ts";
import { exact, figures, quantity, short, size } from "../graph/numbers.ts";
import { foldOf } from "../graph/folds.ts";
import { repeatsOf } from "../graph/repeats.ts";
import { shapeText } from "../graph/shapes.ts";
import { timesOf, type VisibleNode } from "../graph/visible.ts";
import { valueOfBox } from "../scene/colours.ts";
import { hueOf } from "../scene/hue.ts";
import { argumentsText } from "./arguments.ts";
import { callOf, pathOf, titleOf } from "./model.ts";
import { type Page, usePage } from "./page.tsx";
import { Partners } from "./Partners.tsx";
import { known } from "./provenance.ts";
import { Copyable, Dot, Fact, Part } from "./parts.tsx";
import { Saved } from "./Saved.tsx";
import { Tensors } from "./Tensors.tsx";

export function Panel() {
  const page = usePage();
  const node = page.node(page.state.selected);
  return (
    <aside class="panel" aria-label="Details">
      <button class="icon close" aria-label="Close the details" onClick={() => page.store.set({ panel: false })}>
        ×
      </button>
      {node ? <NodePanel page={page} node={node} /> : <RunPanel page={page} />}
    </aside>
  );
}

function RunPanel({ page }: { page: Page }) {
  const { graph, about } = page.model;
  const { totals } = about;
  const root = graph.calls[0];
  const ran = !page.state.drawn?.visible.still;
  // No lower bound at all is no number: nothing in the run has FLOPs that can be counted.
  const counted = totals.exact || totals.flops > 0;
  return (
    <>
      <h2 class="title">{graph.name}</h2>
      <p class="hint">Select a box to read about it.</p>
      {root && <Partners page={page} call={root} />}
      <Part title="Run">
        <Fact name="parameters" exact={exact(totals.parameters)}>
          {short(totals.parameters)} ({size(totals.parameter_bytes)})
        </Fact>
        {totals.trainable !== totals.parameters && <Fact name="trainable">{short(totals.trainable)}</Fact>}
        {ran && (
          <>
            {counted && (
              <Fact name="FLOPs" exact={exact(totals.flops)}>
                {totals.exact ? "" : "≥ "}
                {short(totals.flops)}
              </Fact>
            )}
            <Fact name="activations" exact={`${exact(totals.activation_bytes)} bytes`}>
              {size(totals.activation_bytes)}
            </Fact>
            <Fact name="calls">{exact(graph.calls.length)}</Fact>
          </>
        )}
        {known(graph.provenance).map(([name, text]) => (
          <Fact key={name} name={name}>
            {text}
          </Fact>
        ))}
      </Part>
      {root && <Tensors page={page} title="Inputs" call={root} side="inputs" />}
      {root && <Tensors page={page} title="Outputs" call={root} side="outputs" />}
      <Notes page={page} of={() => true} />
    </>
  );
}

function NodePanel({ page, node }: { page: Page; node: VisibleNode }) {
  const { name, detail } = titleOf(page.model, node);
  const call = callOf(page.model, node);
  return (
    <>
      <h2 class="title">
        <Dot hue={hueOf(page.model.graph, node)} />
        <span>{call ? shortName(call) : name}</span>
        {node.repeat && <span class="count">{timesOf(node.repeat)}</span>}
      </h2>
      {call ? <CallPanel page={page} node={node} call={call} /> : <EndPanel page={page} node={node} detail={detail} />}
    </>
  );
}

function EndPanel({ page, node, detail }: { page: Page; node: VisibleNode; detail: string }) {
  const isEnd = node.kind === "input" || node.kind === "output" || node.kind === "constant";
  return (
    <>
      <p class="hint">{isEnd ? detail : countText(node)}</p>
      <Actions page={page} node={node} />
      {isEnd && <Tensors page={page} title="Tensors" values={node.members} />}
      {!isEnd && <Numbers page={page} node={node} />}
    </>
  );
}

function countText({ members, repeat }: VisibleNode): string {
  const calls = `${members.length} ${members.length === 1 ? "call" : "calls"}`;
  if (!repeat) return calls;
  return `${calls}, ${repeat.count} times, ${repeat.loop ? "with the same weights" : "each with weights of its own"}`;
}

function CallPanel({ page, node, call }: { page: Page; node: VisibleNode; call: Call }) {
  const module = moduleOf(page, call);
  const path = pathOf(page.model, call);
  return (
    <>
      {call.error !== null && (
        <p class="error" role="alert">
          {call.error}
        </p>
      )}
      <Actions page={page} node={node} />
      <Partners page={page} call={call} />
      <Part title="What">
        {path !== "" && (
          <Fact name={call.path === null ? "in" : "path"}>
            <Copyable text={path} />
          </Fact>
        )}
        {node.repeat && <Fact name={node.repeat.loop ? "loop" : "repeats"}>{repeatText(page, node)}</Fact>}
        <Fact name="type">{call.kind === "module" ? call.name : `${call.kind.replace("_", " ")} ${call.name}`}</Fact>
        {module && module.confidence !== null && <Fact name="inferred">{sureText(module.confidence)}</Fact>}
        {module?.aliases.length ? <Fact name="also">{module.aliases.join(", ")}</Fact> : null}
        {module?.extra && (
          <Fact name="settings" exact={module.extra}>
            {figures(module.extra)}
          </Fact>
        )}
        <Fact name="arguments" exact={argumentsText(page.model, call, true)}>
          {argumentsText(page.model, call)}
        </Fact>
        {call.source && (
          <Fact name="source">
            <Copyable text={`${call.source.file}:${call.source.line}`} />
          </Fact>
        )}
        {call.reads_data && (
          <Fact name="data">Python read a tensor's content here: another input may run another way.</Fact>
        )}
      </Part>
      <Numbers page={page} node={node} />
      <Saved page={page} call={call} />
      <Tensors page={page} title="Inputs" call={call} side="inputs" />
      <Tensors page={page} title="Outputs" call={call} side="outputs" />
      {module && <Weights page={page} module={module} />}
      <Notes page={page} of={(at) => at === call.id} />
    </>
  );
}

function moduleOf({ model }: Page, call: Call): Module | null {
  return (call.path === null ? undefined : model.facts.moduleAt.get(call.path)) ?? null;
}

/** How sure it is what a module is that is known by its weights alone. */
function sureText(sure: number): string {
  return `from the weights, ${sure >= 0.995 && sure < 1 ? "over 99" : Math.round(sure * 100)} % sure`;
}

function repeatText({ model }: Page, { call, repeat }: VisibleNode): string {
  const [first, last] = [call, repeat!.last].map(
    (id) => model.graph.calls[id]!.path ?? shortName(model.graph.calls[id]!),
  );
  const grows = repeat!.grows && `, ${repeat!.grows}`;
  return first === last ? `${repeat!.count} times${grows}` : `${repeat!.count}, ${first} to ${last}${grows}`;
}

function Actions({ page, node }: { page: Page; node: VisibleNode }) {
  const isSaid = node.kind === "call" && node.members.length > 0;
  const fold = node.call >= 0 ? foldOf(page.model.indexed, isSaid ? node.members[0]! : node.call) : null;
  const isFolded = isSaid || node.repeat !== null;
  return (
    <p class="actions">
      {node.openable && <button onClick={() => page.toggle(node.key)}>{node.open ? "Close" : "Open"}</button>}
      {node.openable && node.kind === "call" && <button onClick={() => page.openAll(node.key)}>Open all inside</button>}
      {fold && isFolded && <button onClick={() => page.unfold(fold)}>Show all {fold.count} repeats</button>}
      {fold && !isFolded && page.state.view.unfold.length > 0 && node.kind === "call" && (
        <button onClick={() => page.fold(fold)}>Fold ×{fold.count} again</button>
      )}
      {node.parent >= 0 && <button onClick={() => page.closeAround(node.key)}>Close the box around</button>}
    </p>
  );
}

function Numbers({ page, node }: { page: Page; node: VisibleNode }) {
  const { indexed, measures, facts } = page.model;
  const repeats = repeatsOf(indexed, node);
  const least = repeats.some((call) => facts.atLeast.has(call));
  const rows = measures
    .filter(({ aggregate, overlay }) => aggregate === "sum" || overlay)
    .map((measure) => ({ measure, all: valueOfBox(measure, indexed, node), one: measure.values[node.call] }))
    .filter(({ all, measure }) => typeof all === "number" && (all !== 0 || measure.overlay));
  if (rows.length === 0) return null;
  return (
    <Part title={repeats.length > 1 ? `Numbers of all ${repeats.length}` : "Numbers"}>
      {rows.map(({ measure: { name, title, unit, aggregate }, all, one }) => (
        <Fact key={name} name={title} exact={exactly(unit, all as number)}>
          {name === "flops" && least ? "≥ " : ""}
          {quantity(all as number, unit)}
          {aggregate === "sum" && typeof one === "number" && one !== all && (
            <small> · {quantity(one, unit)} each</small>
          )}
        </Fact>
      ))}
    </Part>
  );
}

/** A whole number in full, another as it is. */
function exactly(unit: string, number: number): string {
  return Number.isInteger(number) ? exact(number) : `${quantity(number, unit)} (${number})`;
}

/** Parameters and buffers of a module itself; those of the modules inside it are listed with them. */
function Weights({ page, module }: { page: Page; module: Module }) {
  const { graph, payload } = page.model;
  const held = [...module.parameters, ...module.buffers];
  if (held.length === 0) return null;
  return (
    <Part title="Parameters and buffers">
      <table class="weights">
        <tbody>
          {held.map(([name, id]) => (
            <Weight key={name} name={name} value={graph.values[id]!} elements={payload.elements[id]!} />
          ))}
        </tbody>
      </table>
    </Part>
  );
}

function Weight({ name, value, elements }: { name: string; value: Value; elements: number }) {
  const others = value.names.length > 1 ? value.names : [];
  return (
    <>
      <tr>
        <th scope="row">{name}</th>
        <td>{shapeText(value)}</td>
        <td>{value.dtype}</td>
        <td class="number">{value.kind === "buffer" ? "buffer" : short(elements)}</td>
      </tr>
      {others.length > 0 && (
        <tr class="tied">
          <td colSpan={4}>tied: {others.join(" = ")}</td>
        </tr>
      )}
    </>
  );
}

function Notes({ page, of }: { page: Page; of: (call: number | null) => boolean }): ComponentChildren {
  const notes = page.model.graph.notes.filter((note) => of(note.call));
  if (notes.length === 0) return null;
  return (
    <Part title="Notes">
      {notes.map(({ text, call }, i) => (
        <p key={i} class="note">
          {text}{" "}
          {call !== null && page.model.graph.calls[call] && (
            <button class="inline" onClick={() => page.show(call)}>
              show
            </button>
          )}
        </p>
      ))}
    </Part>
  );
}
