// Compiles the contracts and writes what the Go code embeds. With a folder as its argument it writes there instead, so
// that a test can compare.
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createRequire } from "node:module";

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const solc = require("solc");
const out = process.argv[2] ?? here;

const input = {
  language: "Solidity",
  sources: Object.fromEntries(["Till.sol", "Coin.sol"].map((name) => [name, { content: readFileSync(join(here, name), "utf8") }])),
  settings: {
    // No hash of the sources behind the code: a comment must not change an address.
    metadata: { appendCBOR: false, bytecodeHash: "none" },
    optimizer: { enabled: true, runs: 200 },
    evmVersion: "paris",
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
  },
};
const find = (path) => ({ contents: readFileSync(require.resolve(path), "utf8") });
const result = JSON.parse(solc.compile(JSON.stringify(input), { import: find }));
const problems = (result.errors ?? []).map((e) => e.formattedMessage).join("\n");
if (problems) {
  console.error(problems);
  process.exit(1);
}
for (const [source, name] of [["Till.sol", "Till"], ["Till.sol", "Slot"], ["Coin.sol", "Coin"]]) {
  const { abi, evm } = result.contracts[source][name];
  writeFileSync(join(out, `${name}.json`), JSON.stringify({ compiler: solc.version(), abi, bytecode: `0x${evm.bytecode.object}` }, null, 1) + "\n");
}
