// Serves the peer on one port, and on a second what a test asks of it: POST /{command} with a JSON value. Settings come
// as JSON in the first argument; both addresses are printed as one line of JSON. It ends with its standard input.
import { createServer } from "node:http";
import { Readable } from "node:stream";
import { makeCommands } from "./commands.mjs";
import { makePeer } from "./peer.mjs";

const settings = JSON.parse(process.argv[2] ?? "{}");
const maxBody = 2 << 20;

async function bodyOf(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    if ((size += part.length) > maxBody) throw new Error("too large");
    parts.push(part);
  }
  return Buffer.concat(parts);
}

async function listen(handler) {
  const server = createServer((request, response) => {
    handler(request, response).catch((error) => {
      response.writeHead(500, { "Content-Type": "text/plain" });
      response.end(String(error?.stack ?? error));
    });
  });
  await new Promise((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${server.address().port}`;
}

let peer;
const origin = await listen(async (request, response) => {
  const body = request.method === "GET" || request.method === "HEAD" ? undefined : await bodyOf(request);
  const answer = await peer.federation.fetch(new Request(new URL(request.url, origin), {
    method: request.method, headers: new Headers(Object.entries(request.headers).flatMap(([name, value]) => [value].flat().map((one) => [name, one]))), body,
  }), { contextData: undefined });
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  if (answer.body) Readable.fromWeb(answer.body).pipe(response);
  else response.end();
});
peer = makePeer({ ...settings, origin });
const commands = makeCommands(peer);
const control = await listen(async (request, response) => {
  const command = commands[request.url.slice(1)];
  if (!command) throw new Error(`no command ${request.url}`);
  const result = await command(JSON.parse((await bodyOf(request)).toString() || "{}"));
  response.writeHead(200, { "Content-Type": "application/json" });
  response.end(JSON.stringify(result ?? null));
});
console.log(JSON.stringify({ origin, control }));
process.stdin.resume().once("end", () => process.exit(0));
