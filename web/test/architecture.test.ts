/** The order of the folders: which may import which, and that no file reaches itself through its imports. */

import { readFileSync, readdirSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

/** By folder, or file beside the folders: what it may import. `layout` knows boxes and sizes, and nothing of graphs. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  contract: [],
  graph: ["contract"],
  layout: [],
  scene: ["contract", "graph", "layout"],
  "engine.ts": ["contract", "graph", "scene"],
  paint: ["contract", "scene"],
  worker: ["contract", "graph", "layout", "scene"],
  app: ["contract", "graph", "scene", "paint", "worker", "preact"],
  "main.tsx": ["paint", "worker", "app", "preact"],
};

/** By file, as a path from `web/src`: the files and the packages that it imports, for their types alone too. */
type Imports = ReadonlyMap<string, readonly string[]>;

/** Files by path, with their text. */
type Sources = ReadonlyMap<string, string>;

const IMPORT = /^(?:import|export)\s+(?:[^;"]*?\sfrom\s+)?"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/gm;

function importsOf(sources: Sources): Imports {
  return new Map(
    [...sources].map(([file, text]) => {
      const named = [...text.matchAll(IMPORT)].map(([, from, later]) => (from ?? later)!);
      return [file, named.map((name) => (name.startsWith(".") ? posix.join(posix.dirname(file), name) : name))];
    }),
  );
}

/** The folder of a file, or the file itself where it stands beside the folders; of a package, its name. */
function layerOf(path: string): string {
  return path.split("/")[0]!;
}

/** Imports that the order does not allow, as `graph/a.ts -> scene/b.ts`. */
function outOfOrder(imports: Imports): string[] {
  return [...imports].flatMap(([file, named]) => {
    const allowed = [layerOf(file), ...(MAY_IMPORT[layerOf(file)] ?? [])];
    return named.filter((name) => !allowed.includes(layerOf(name))).map((name) => `${file} -> ${name}`);
  });
}

/** A way from a file back to itself, as `a.ts -> b.ts -> a.ts`; null where there is none. */
function cycle(imports: Imports): string | null {
  const done = new Set<string>();
  const search = (file: string, way: readonly string[]): string | null => {
    if (way.includes(file)) return [...way.slice(way.indexOf(file)), file].join(" -> ");
    if (done.has(file)) return null;
    for (const next of imports.get(file) ?? []) {
      const found = search(next, [...way, file]);
      if (found) return found;
    }
    done.add(file);
    return null;
  };
  for (const file of imports.keys()) {
    const found = search(file, []);
    if (found) return found;
  }
  return null;
}

const root = fileURLToPath(new URL("../src/", import.meta.url));
const files = readdirSync(root, { recursive: true, encoding: "utf8" }).map((path) => path.replaceAll("\\", "/"));
const sources: Sources = new Map(
  files.filter((path) => /\.tsx?$/.test(path)).map((path) => [path, readFileSync(root + path, "utf8")]),
);
const imports = importsOf(sources);

describe("the sources", () => {
  test("import in one direction: contract, graph and layout, scene, then the engine or the page", () => {
    expect(outOfOrder(imports)).toEqual([]);
  });

  test("have no cycle of imports, of types either", () => {
    expect(cycle(imports)).toBeNull();
  });

  test("stand in folders whose place in the order is known, and every import leads to a file that is there", () => {
    expect([...new Set([...sources.keys()].map(layerOf))].sort()).toEqual(Object.keys(MAY_IMPORT).sort());
    const missing = [...imports.values()].flat().filter((name) => /\.tsx?$/.test(name) && !sources.has(name));
    expect(missing).toEqual([]);
  });

  test("allow no import that no file makes", () => {
    const made = new Set(
      [...imports].flatMap(([file, named]) => named.map((name) => `${layerOf(file)} ${layerOf(name)}`)),
    );
    const allowed = Object.entries(MAY_IMPORT).flatMap(([layer, below]) => below.map((name) => `${layer} ${name}`));
    expect(allowed.filter((pair) => !made.has(pair))).toEqual([]);
  });
});

describe("the check itself", () => {
  const given = (texts: Readonly<Record<string, string>>): Imports => importsOf(new Map(Object.entries(texts)));

  test("sees an import against the order, over several lines, of a type, passed on, late, and of a package", () => {
    const against = given({
      "graph/a.ts": 'import {\n  type B,\n} from "../scene/b.ts";\nexport type { C } from "../layout/c.ts";\n',
      "layout/c.ts": 'const late = await import("../graph/a.ts");\n',
      "scene/b.ts": 'import "preact";\n',
    });
    expect(outOfOrder(against)).toEqual([
      "graph/a.ts -> scene/b.ts",
      "graph/a.ts -> layout/c.ts",
      "layout/c.ts -> graph/a.ts",
      "scene/b.ts -> preact",
    ]);
  });

  test("sees a cycle of types, and says the way round", () => {
    const round = given({
      "layout/a.ts": 'import { b } from "./b.ts";',
      "layout/b.ts": 'import type { C } from "./c.ts";',
      "layout/c.ts": 'export { a } from "./b.ts";',
    });
    expect(cycle(round)).toBe("layout/b.ts -> layout/c.ts -> layout/b.ts");
    expect(cycle(given({ "layout/a.ts": 'import { b } from "./b.ts";', "layout/b.ts": "" }))).toBeNull();
  });
});
