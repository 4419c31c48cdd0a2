// Builds the browser's modules and styles into ../static, named by the hash of their content, and writes the list
// that static.go reads. The same sources give the same bytes.
import { build } from "esbuild";
import { readFile, rm, mkdir, writeFile, copyFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "../static");

// The words of the browser's modules stand in texts/en.json beside those of the pages.
export const words = {
  name: "words",
  setup(b) {
    b.onResolve({ filter: /^texts$/ }, () => ({ path: "texts", namespace: "words" }));
    b.onLoad({ filter: /.*/, namespace: "words" }, async () => {
      const file = JSON.parse(await readFile(join(here, "../texts/en.json"), "utf8"));
      return { contents: JSON.stringify(file.browser), loader: "json" };
    });
  },
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  const result = await build({
    absWorkingDir: here,
    entryPoints: ["main.ts", "css/style.css"],
    outdir: out,
    bundle: true,
    splitting: true,
    format: "esm",
    target: ["es2022", "chrome111", "firefox113", "safari16.4"],
    minify: true,
    legalComments: "none",
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    metafile: true,
    plugins: [words],
  });
  const files = {};
  const preload = [];
  for (const [path, info] of Object.entries(result.metafile.outputs)) {
    if (info.entryPoint === "main.ts") {
      files["main.js"] = basename(path);
      for (const i of info.imports) if (i.kind === "import-statement") preload.push(basename(i.path));
    }
    if (info.entryPoint === "css/style.css") files["style.css"] = basename(path);
  }
  const icon = await readFile(join(here, "icon.svg"));
  files["icon.svg"] = `icon-${createHash("sha256").update(icon).digest("hex").slice(0, 8).toUpperCase()}.svg`;
  await copyFile(join(here, "icon.svg"), join(out, files["icon.svg"]));
  await writeFile(join(out, "manifest.json"), JSON.stringify({ files, preload: preload.sort() }, null, 1) + "\n");
}
