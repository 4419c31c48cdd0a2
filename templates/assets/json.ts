// Signed objects as JSON: read strictly (I-JSON, RFC 7493, and integers only) and written canonically (JCS, RFC 8785).
// What the server's vocab/jsonld refuses in a signed object is refused here, so that nobody sees another object in the
// same bytes.

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type JsonObject = { [name: string]: Json };

const maxLength = 1 << 20;
const maxDepth = 64;

/** Reads one JSON object. A name that stands twice, a number that is not a plain safe integer, a lone surrogate or a
 * NUL, and more than 64 levels or 1 Mi characters are refused with a SyntaxError. */
export function parseSigned(text: string): JsonObject {
  if (text.length > maxLength) throw new SyntaxError("JSON is too long");
  checkTokens(text);
  const value = JSON.parse(text) as Json;
  if (!isObject(value)) throw new SyntaxError("JSON is not an object");
  canonicalize(value);
  return value;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The RFC 8785 form of a value, as text: names sorted by UTF-16 units, no white space. */
export function canonicalize(value: Json, depth = 0): string {
  if (depth > maxDepth) throw new SyntaxError("JSON is too deep");
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw new SyntaxError("JSON number is not a safe integer");
    return String(value);
  }
  if (typeof value === "string") {
    if (/\p{Surrogate}|\0/u.test(value)) throw new SyntaxError("JSON string holds half a character or a NUL");
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map((v) => canonicalize(v, depth + 1)).join(",")}]`;
  if (typeof value !== "object") throw new SyntaxError(`${typeof value} is not JSON`);
  const members = Object.keys(value).sort().map((name) => `${canonicalize(name)}:${canonicalize(value[name], depth + 1)}`);
  return `{${members.join(",")}}`;
}

// checkTokens finds what JSON.parse quietly accepts. It does not check the grammar: JSON.parse does, afterwards.
function checkTokens(text: string): void {
  const names: (Set<string> | null)[] = []; // the names of each open object, null for an array
  let last: string | undefined; // the string that may turn out to be a name
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g)) {
    switch (token[0]) {
      case "{":
      case "[":
        if (names.push(token === "{" ? new Set() : null) > maxDepth) throw new SyntaxError("JSON is too deep");
        break;
      case "}":
      case "]":
        names.pop();
        break;
      case '"':
        last = token;
        break;
      case ":": {
        const open = names.at(-1);
        const name = JSON.parse(last ?? "") as string;
        if (open?.has(name)) throw new SyntaxError("JSON name stands twice");
        open?.add(name);
        break;
      }
      case ",":
        break;
      default:
        if (/^[-0-9]/.test(token) && !/^(0|-?[1-9][0-9]{0,15})$/.test(token)) {
          throw new SyntaxError("JSON number is not a plain integer");
        }
    }
  }
}
