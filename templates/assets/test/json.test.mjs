import { test } from "node:test";
import assert from "node:assert/strict";
import { load } from "./bundle.mjs";

const { canonicalize, parseSigned } = await load("json.ts");

test("canonical form, by the examples of RFC 8785", () => {
  // Section 3.2.3: names are sorted by their UTF-16 units.
  const names = {
    "\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
    "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis",
  };
  assert.deepEqual(Object.values(JSON.parse(canonicalize(names))).sort(), Object.values(names).sort());
  const order = [...canonicalize(names).matchAll(/:"([^"]*)"/g)].map((x) => x[1]);
  assert.deepEqual(order, [
    "Carriage Return", "One", "Control", "Latin Small Letter O With Diaeresis", "Euro Sign", "Emoji: Grinning Face",
    "Hebrew Letter Dalet With Dagesh",
  ]);
  // Section 3.2.2.2: strings.
  const text = "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/";
  assert.equal(canonicalize({ string: text }), '{"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}');
  assert.equal(canonicalize([null, true, false, 0, -1, Number.MAX_SAFE_INTEGER, {}, []]), "[null,true,false,0,-1,9007199254740991,{},[]]");
  assert.equal(canonicalize({ b: { d: 1, c: 2 }, a: [] }), '{"a":[],"b":{"c":2,"d":1}}');
});

test("what has no canonical form", () => {
  for (const bad of [0.5, -0, NaN, Infinity, 2 ** 53, "\ud800", "\udc00\ud800", "\0", { "\ud800": 1 }, undefined, () => 1, [undefined]]) {
    assert.throws(() => canonicalize(bad), SyntaxError, String(bad));
  }
  let deep = 1;
  for (let i = 0; i < 70; i++) deep = [deep];
  assert.throws(() => canonicalize(deep), SyntaxError);
});

test("strict reading", () => {
  const good = '{ "a" : [1, -2, {"a": null, "b": "x\\"}{,:"}], "b":"\\ud83d\\ude00", "":true , "c": 9007199254740991}';
  assert.deepEqual(parseSigned(good), JSON.parse(good));
  for (const bad of [
    '{"a":1,"a":1}', '{"a":1,"\\u0061":1}', '{"x":{"a":1,"b":[],"a":2}}', '{"a":1.0}', '{"a":1e2}', '{"a":-0}', '{"a":01}',
    '{"a":9007199254740992}', '{"a":"\\ud800"}', '{"a":"\\u0000"}', '{"\\udc00":1}', '[]', '"a"', "1", "", "{", '{"a":1}x', '{"a":1,}',
    '{"a":NaN}', "{'a':1}", '\ufeff{"a":1}', `{"a":${"[".repeat(70)}${"]".repeat(70)}}`, `{"a":"${"x".repeat(1 << 20)}"}`, '{"a" 1}', "{:1}",
  ]) assert.throws(() => parseSigned(bad), SyntaxError, bad.slice(0, 60));
  // A name of Object.prototype is a name like any other.
  assert.deepEqual(Object.keys(parseSigned('{"__proto__":1,"constructor":2}')), ["__proto__", "constructor"]);
  assert.equal(canonicalize(parseSigned('{"__proto__":1}')), '{"__proto__":1}');
});
