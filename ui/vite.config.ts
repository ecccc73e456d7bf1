import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

/** The server during development; in production the binary serves `dist` itself. */
const SERVER = process.env.VEDETTE_SERVER ?? "http://127.0.0.1:8765";

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: "es2022",
    // the server's content policy allows no inline script, and the one-chunk preload helper is not needed
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: true,
  },
  server: {
    host: "127.0.0.1",
    proxy: { "/api": { target: SERVER }, "/healthz": { target: SERVER } },
  },
  test: { include: ["src/**/*.test.ts"], environment: "node", env: { TZ: "UTC" } },
} as never);
