/** The worker's side: takes the payload once, then makes one picture per request. */

import type { Payload } from "../contract/payload.ts";
import { type Drafter, drafter } from "./drafter.ts";
import type { Reply, Request } from "./protocol.ts";

/** What a worker needs of its global scope. */
export interface Scope {
  onmessage: ((event: MessageEvent<Request>) => void) | null;
  postMessage(reply: Reply): void;
}

export function serve(scope: Scope): void {
  let draft: Drafter | null = null;
  scope.onmessage = ({ data }) => {
    if ("payload" in data) draft = drafter(JSON.parse(data.payload) as Payload);
    else scope.postMessage(answer(draft!, data));
  };
}

function answer(draft: Drafter, { id, wanted }: Extract<Request, { id: number }>): Reply {
  try {
    return { id, drawn: draft(wanted) };
  } catch (error) {
    return { id, failed: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
