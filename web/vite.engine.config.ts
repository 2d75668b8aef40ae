import { defineConfig } from "vite";

/** One file that runs wherever JavaScript does: no DOM, no timers, no modules. */
export default defineConfig({
  build: {
    target: "es2020",
    outDir: "dist",
    emptyOutDir: false,
    lib: { entry: "src/engine.ts", name: "torchatlas", formats: ["iife"], fileName: () => "engine.js" },
  },
});
