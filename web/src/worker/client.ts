/** The page's side: pictures from a worker, or from the page itself where workers are refused. */

import type { Payload } from "../contract/payload.ts";
import { type Drafter, drafter } from "./drafter.ts";
import type { Drawn, Reply, Wanted } from "./protocol.ts";

export interface Draft {
  /** Ask for a picture; a picture that was asked for before and is not begun will not be made. */
  ask(wanted: Wanted): void;
}

export interface Listener {
  drawn(drawn: Drawn): void;
  failed(message: string): void;
}

/**
 * Start drawing. The worker runs the page's own script, which knows by its scope which of the two it is.
 *
 * `text` is the payload as JSON, `payload` the same parsed.
 */
export function startDraft(text: string, payload: Payload, script: string | null, listener: Listener): Draft {
  const worker = script === null ? null : startWorker(script);
  return worker ? new WorkerDraft(worker, text, payload, listener) : new OwnDraft(payload, listener);
}

function startWorker(script: string): Worker | null {
  try {
    const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    return new Worker(url);
  } catch {
    return null;
  }
}

/** Draws between two frames of the page. */
class OwnDraft implements Draft {
  private readonly draft: Drafter;
  private next: Wanted | null = null;

  constructor(
    payload: Payload,
    private readonly listener: Listener,
  ) {
    this.draft = drafter(payload);
  }

  ask(wanted: Wanted): void {
    if (this.next === null) setTimeout(() => this.make());
    this.next = wanted;
  }

  private make(): void {
    const wanted = this.next!;
    this.next = null;
    try {
      this.listener.drawn(this.draft(wanted));
    } catch (error) {
      this.listener.failed(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
  }
}

/** One request is with the worker at a time; of those that wait, the last alone counts. */
class WorkerDraft implements Draft {
  private id = 0;
  private busy: Wanted | null = null;
  private next: Wanted | null = null;
  private own: Draft | null = null;

  constructor(
    private readonly worker: Worker,
    text: string,
    payload: Payload,
    private readonly listener: Listener,
  ) {
    worker.onmessage = ({ data }: MessageEvent<Reply>) => this.answered(data);
    // A policy that forbids workers is told only after the worker was made.
    worker.onerror = (event) => this.refused(event, payload);
    worker.postMessage({ payload: text });
  }

  ask(wanted: Wanted): void {
    if (this.own) this.own.ask(wanted);
    else if (this.busy) this.next = wanted;
    else this.send(wanted);
  }

  private send(wanted: Wanted): void {
    this.busy = wanted;
    this.id += 1;
    this.worker.postMessage({ id: this.id, wanted });
  }

  private answered(reply: Reply): void {
    this.busy = null;
    if ("failed" in reply) this.listener.failed(reply.failed);
    else if (this.next === null) this.listener.drawn(reply.drawn);
    if (this.next) this.send(this.next);
    this.next = null;
  }

  private refused(event: ErrorEvent, payload: Payload): void {
    event.preventDefault();
    if (this.own) return;
    this.worker.terminate();
    this.own = new OwnDraft(payload, this.listener);
    const wanted = this.next ?? this.busy;
    if (wanted) this.own.ask(wanted);
  }
}
