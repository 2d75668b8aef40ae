import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

/**
 * The page as one file: script, style and font inside, nothing else allowed. Two places are left open, %TITLE% and
 * %ATLAS%, which Python fills.
 */
export default defineConfig({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  plugins: [onePage()],
  build: {
    target: "es2022",
    outDir: "../src/torchatlas/views/page",
    emptyOutDir: false,
    assetsInlineLimit: 1 << 20,
    lib: { entry: "src/main.tsx", name: "page", formats: ["iife"], fileName: () => "page.js", cssFileName: "page" },
  },
});

function onePage(): Plugin {
  return {
    name: "one-page",
    enforce: "post",
    generateBundle(_, bundle) {
      const script = inert(text(bundle["page.js"]));
      const style = text(bundle["page.css"]).trim();
      const policy = [
        "default-src 'none'",
        `script-src ${hash(script)}`,
        `style-src ${hash(style)}`,
        "font-src data:",
        "img-src data: blob:",
        "worker-src blob:",
        "base-uri 'none'",
        "form-action 'none'",
      ].join("; ");
      const parts: Record<string, string> = { POLICY: policy, STYLE: style, SCRIPT: script };
      const template = readFileSync("index.html", "utf8");
      const page = template.replace(/%(POLICY|STYLE|SCRIPT)%/g, (_match, name: string) => parts[name]!);
      delete bundle["page.js"];
      delete bundle["page.css"];
      this.emitFile({ type: "asset", fileName: "page.html", source: page });
    },
  };
}

function text(output: unknown): string {
  const { code, source } = output as { code?: string; source?: string | Uint8Array };
  return code ?? (typeof source === "string" ? source : new TextDecoder().decode(source));
}

/** In a script element `</script` would end it, and `<!--` begin something else; in strings both can be written so. */
function inert(script: string): string {
  return script
    .trim()
    .replace(/<\/(script)/gi, "<\\/$1")
    .replace(/<!--/g, "<\\!--");
}

function hash(source: string): string {
  return `'sha256-${createHash("sha256").update(source).digest("base64")}'`;
}
