/** What belongs to a call in the other drawing: of two versions, what differs; of a backward pass, where it is from. */

import type { Call } from "../contract/graph.ts";
import { shortName } from "../graph/names.ts";
import { facing } from "./facing.ts";
import { pathOf, shapesText } from "./model.ts";
import type { Page } from "./page.tsx";
import { type Pair, usePair } from "./pair.ts";
import { Part, Sign } from "./parts.tsx";

/** More are not listed. */
const MOST = 20;

interface Given {
  readonly page: Page;
  readonly pair: Pair;
  readonly call: Call;
  readonly partners: readonly Call[];
}

export function Partners({ page, call }: { page: Page; call: Call }) {
  const pair = usePair();
  if (!pair) return null;
  const { calls } = pair.other(page).model.graph;
  // The two as a whole are worth comparing, whatever belongs together in them.
  const ids = call.id === 0 && pair.given.compared ? [0] : pair.partners(page, call.id);
  const partners = ids.flatMap((id) => calls[id] ?? []);
  const given = { page, pair, call, partners };
  if (!pair.given.compared) return call.id === 0 ? null : <Belonging {...given} />;
  return partners.length === 0 ? <Alone {...given} /> : <Compared {...given} />;
}

function Alone({ page, pair, call }: Given) {
  const mark = page.model.marks?.own.get(call.id);
  return (
    <p class="alone">
      {mark && <Sign mark={mark} />} Only in {pair.titleOf(page)}.
    </p>
  );
}

/** Line by line; more than one partner is listed, and the first compared. */
function Compared({ page, pair, call, partners }: Given) {
  const other = pair.other(page);
  const mark = page.model.marks?.own.get(call.id);
  const lines = facing({ model: page.model, call }, { model: other.model, call: partners[0]! });
  const differing = lines.filter(({ differs }) => differs).length;
  return (
    <Part
      title={differing === 0 ? "The same in both" : `${differing} ${differing === 1 ? "line differs" : "lines differ"}`}
    >
      <table class="facing">
        <thead>
          <tr>
            <td>{mark && <Sign mark={mark} />}</td>
            <th scope="col">{pair.titleOf(page)}</th>
            <th scope="col">{pair.titleOf(other)}</th>
          </tr>
        </thead>
        <tbody>
          {lines.map(({ name, here, there, differs }) => (
            <tr key={name} class={differs ? "differs" : ""}>
              <th scope="row">
                {differs && <span aria-label="differs">≠ </span>}
                {name}
              </th>
              <td>{here.slice(0, 400) || "—"}</td>
              <td>{there.slice(0, 400) || "—"}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {partners.length > 1 && <List page={page} pair={pair} call={call} partners={partners} />}
    </Part>
  );
}

function Belonging(given: Given) {
  const { pair, page, partners } = given;
  if (partners.length === 0) return null;
  return (
    <Part title={`In ${pair.titleOf(pair.other(page))}`}>
      <List {...given} />
    </Part>
  );
}

/** The partners, each to go to. */
function List({ page, pair, partners }: Given) {
  const other = pair.other(page);
  return (
    <ul class="partners">
      {partners.slice(0, MOST).map((one) => (
        <li key={one.id}>
          <button class="inline" title="Show it" onClick={() => pair.show(pair.sideOf(other), one.id)}>
            {shortName(one).slice(0, 80)}
          </button>{" "}
          <span class="dim">
            {[pathOf(other.model, one), shapesText(other.model, one.outputs)].filter(Boolean).join(" · ")}
          </span>
        </li>
      ))}
      {partners.length > MOST && <li class="dim">and {partners.length - MOST} more</li>}
    </ul>
  );
}
