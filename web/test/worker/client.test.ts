/** Which of the pictures that were asked for is shown: the last one, however many there were before it. */

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { DEFAULT_STATE } from "../../src/graph/state.ts";
import { type Draft, startDraft } from "../../src/worker/client.ts";
import type { Drawn, Reply, Request, Wanted } from "../../src/worker/protocol.ts";
import { payload } from "../payloads.ts";

const given = payload("branches");

function wanted(depth: number): Wanted {
  return { view: { ...DEFAULT_STATE, depth }, options: { direction: "TB", labels: [] } };
}

/** A picture by which only its request can be told. */
function picture(of: Wanted): Drawn {
  return { wanted: of } as Drawn;
}

/** A worker that answers when the test says so. */
class FakeWorker {
  static last: FakeWorker;
  readonly requests: Request[] = [];
  onmessage: ((event: { data: Reply }) => void) | null = null;
  onerror: ((event: { preventDefault(): void }) => void) | null = null;
  ended = false;

  constructor() {
    FakeWorker.last = this;
  }

  postMessage(request: Request): void {
    this.requests.push(request);
  }

  terminate(): void {
    this.ended = true;
  }

  /** The depths that it was asked to draw. */
  get depths(): (number | null)[] {
    return this.requests.flatMap((request) => ("wanted" in request ? [request.wanted.view.depth] : []));
  }

  draws(of: Wanted): void {
    this.onmessage!({ data: { id: 0, drawn: picture(of) } });
  }

  fails(message: string): void {
    this.onmessage!({ data: { id: 0, failed: message } });
  }
}

/** A draft with what it has shown and said. */
function started(script: string | null): { draft: Draft; shown: (number | null)[]; problems: string[] } {
  const shown: (number | null)[] = [];
  const problems: string[] = [];
  const draft = startDraft(JSON.stringify(given), given, script, {
    drawn: (drawn) => shown.push(drawn.wanted.view.depth),
    failed: (message) => problems.push(message),
  });
  return { draft, shown, problems };
}

describe("beside the page", () => {
  beforeEach(() => vi.stubGlobal("Worker", FakeWorker));
  afterEach(() => vi.unstubAllGlobals());

  test("the worker is given the payload once, and then one request at a time", () => {
    const { draft, shown } = started("script");
    draft.ask(wanted(1));
    const worker = FakeWorker.last;
    expect(worker.requests[0]).toEqual({ payload: JSON.stringify(given) });
    worker.draws(wanted(1));
    expect(shown).toEqual([1]);
    draft.ask(wanted(2));
    worker.draws(wanted(2));
    expect([worker.depths, shown]).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });

  test("a picture that is ready after the reader has asked for another is not shown", () => {
    const { draft, shown } = started("script");
    draft.ask(wanted(1));
    draft.ask(wanted(2));
    FakeWorker.last.draws(wanted(1));
    expect(shown).toEqual([]);
    FakeWorker.last.draws(wanted(2));
    expect(shown).toEqual([2]);
  });

  test("of several that wait only the last is drawn", () => {
    const { draft, shown } = started("script");
    for (const depth of [1, 2, 3, 4]) draft.ask(wanted(depth));
    const worker = FakeWorker.last;
    worker.draws(wanted(1));
    worker.draws(wanted(4));
    expect([worker.depths, shown]).toEqual([[1, 4], [4]]);
    draft.ask(wanted(5));
    expect(worker.depths).toEqual([1, 4, 5]);
  });

  test("a picture that failed is said, and the one that waits is drawn", () => {
    const { draft, shown, problems } = started("script");
    draft.ask(wanted(1));
    draft.ask(wanted(2));
    FakeWorker.last.fails("too deep");
    FakeWorker.last.draws(wanted(2));
    expect([problems, shown]).toEqual([["too deep"], [2]]);
  });

  test.each([
    ["that waits", [1, 2], 2],
    ["that was being drawn", [1], 1],
  ])("where the browser ends the worker, the page draws the picture %s", async (_, asked, last) => {
    const { draft, shown } = started("script");
    for (const depth of asked) draft.ask(wanted(depth));
    for (const _twice of [1, 2]) FakeWorker.last.onerror!({ preventDefault: () => undefined });
    expect(FakeWorker.last.ended).toBe(true);
    await vi.waitFor(() => expect(shown).toEqual([last]));
    draft.ask(wanted(3));
    await vi.waitFor(() => expect(shown).toEqual([last, 3]));
  });
});

describe("in the page itself, where workers are refused", () => {
  test("of several pictures that are asked for in one go only the last is drawn", async () => {
    const { draft, shown } = started(null);
    for (const depth of [1, 2, 3]) draft.ask(wanted(depth));
    await vi.waitFor(() => expect(shown).toEqual([3]));
    draft.ask(wanted(4));
    await vi.waitFor(() => expect(shown).toEqual([3, 4]));
  });

  test("so it is where a worker cannot be made", async () => {
    vi.stubGlobal("Worker", function refuse() {
      throw new Error("workers are forbidden");
    });
    const { draft, shown } = started("script");
    vi.unstubAllGlobals();
    draft.ask(wanted(1));
    await vi.waitFor(() => expect(shown).toEqual([1]));
  });

  test("a picture that cannot be drawn is said, with where it failed", async () => {
    const { draft, shown, problems } = started(null);
    draft.ask({ ...wanted(1), view: null as never });
    await vi.waitFor(() => expect(problems).toHaveLength(1));
    expect(problems[0]).toContain("drafter");
    expect(shown).toEqual([]);
  });
});
