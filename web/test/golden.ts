/** Pictures kept under test/golden; one that comes out otherwise is written beside the kept one, as NAME-changed. */

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder = new URL("golden/", import.meta.url);

/** The kept picture; rewritten instead when GOLDEN=rewrite is set in the environment. */
export function golden(name: string, made: string): string {
  const file = new URL(name, folder);
  const changed = new URL(name.replace(/(\.\w+)$/, "-changed$1"), folder);
  mkdirSync(fileURLToPath(folder), { recursive: true });
  rmSync(changed, { force: true });
  if (process.env.GOLDEN === "rewrite") writeFileSync(file, made);
  const kept = existsSync(file) ? readFileSync(file, "utf8") : "";
  if (kept !== made) writeFileSync(changed, made);
  return kept;
}
