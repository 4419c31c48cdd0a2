// Loads TypeScript modules into a test as one bundle, so that all of them share their classes.
import { build } from "esbuild";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { words } from "../build.mjs";

const assets = join(dirname(fileURLToPath(import.meta.url)), "..");

export async function load(...names) {
  const result = await build({
    stdin: { contents: names.map((n) => `export * from "./${n}";`).join("\n"), resolveDir: assets, loader: "ts" },
    bundle: true,
    format: "esm",
    target: "es2022",
    plugins: [words],
    write: false,
    logLevel: "error",
  });
  return import(`data:text/javascript;base64,${Buffer.from(result.outputFiles[0].contents).toString("base64")}`);
}
