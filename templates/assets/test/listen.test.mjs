// What the home instance is told of plays: what was heard, once, and on requests that are made anyway.
import assert from "node:assert/strict";
import { test } from "node:test";
import { load } from "./bundle.mjs";

const { Plays } = await load("listen");

// A world whose clock stands until it is moved, and that keeps what is posted.
function setup() {
  const world = {
    at: 1000, posted: [], takes: true, timers: [],
    now: () => world.at,
    random: (n) => new Uint8Array(n).fill(world.timers.length + 1),
    post: async (text) => (world.posted.push(text), world.takes),
    later: (run, millis) => world.timers.push({ run, at: world.at + millis }),
    async pass(millis) {
      world.at += millis;
      for (const t of world.timers.filter((t) => t.at <= world.at)) t.run();
      world.timers = world.timers.filter((t) => t.at > world.at);
      await new Promise((go) => setImmediate(go));
    },
  };
  const plays = new Plays(world);
  // The sound goes on from a place for some seconds, with four looks at it a second.
  const sound = async (play, from, seconds) => {
    play.hear(from);
    for (let s = 0.25; s <= seconds; s += 0.25) {
      await world.pass(250);
      play.hear(from + s);
    }
  };
  return { world, plays, sound };
}

test("a play is told at its beginning and every half minute, on what is fetched anyway", async () => {
  const { world, plays, sound } = setup();
  const play = plays.begin("T");
  const first = plays.rider(play);
  assert.match(first.text, /^[\w-]{22} T 0 $/);
  assert.equal(first.due, true);
  first.arrived();
  const riders = [];
  for (let from = 0; from < 90; from += 6) {
    await sound(play, from, 6);
    const rider = plays.rider(play);
    riders.push(rider.text);
    rider.arrived();
  }
  const told = riders.filter((t) => t.includes(" "));
  assert.deepEqual(told.map((t) => t.split(" ").slice(2).join(" ")), ["30 0-300", "60 0-600", "90 0-900"]);
  assert.ok(riders.filter((t) => !t.includes(" ")).every((t) => t === play.session));
  assert.equal(world.posted.length, 0);
});

test("what is heard is heard once, and a jump is not heard", async () => {
  const { world, plays, sound } = setup();
  const play = plays.begin("T");
  await sound(play, 0, 20);
  play.pause();
  await sound(play, 10, 20);
  play.hear(100); // nobody called pause, but nothing can have come that far
  await sound(play, 100, 5);
  assert.equal(play.seconds, 35);
  plays.flush();
  assert.match(world.posted[0], / 0-300,1000-1050$/);
});

test("the last words ride on the next track, or go alone when there is none", async () => {
  const { world, plays, sound } = setup();
  const one = plays.begin("T");
  await sound(one, 0, 20);
  plays.end(one);
  const two = plays.begin("U");
  const rider = plays.rider(two);
  assert.match(rider.text, /^[\w-]{22} U 0 ;[\w-]{22} T 20 0-200$/);
  rider.arrived();
  await world.pass(20_000);
  assert.deepEqual(world.posted, []);
  await sound(two, 0, 12);
  plays.end(two);
  await world.pass(9_000);
  assert.equal(world.posted.length, 0);
  await world.pass(2_000);
  assert.equal(world.posted.length, 1);
  assert.match(world.posted[0], / U \d+ 0-120$/);
  await world.pass(60_000);
  plays.flush();
  assert.equal(world.posted.length, 1);
});

test("what did not arrive is told again", async () => {
  const { world, plays, sound } = setup();
  const play = plays.begin("T");
  await sound(play, 0, 31);
  plays.rider(play);
  world.takes = false;
  plays.flush();
  await world.pass(1);
  world.takes = true;
  plays.flush();
  await world.pass(1);
  assert.equal(world.posted.length, 2);
  plays.flush();
  assert.equal(world.posted.length, 2);
});

test("a pause is told soon, unless it was short", async () => {
  const { world, plays, sound } = setup();
  const play = plays.begin("T");
  await sound(play, 0, 15);
  play.pause();
  plays.rest(play);
  await world.pass(5_000);
  await sound(play, 15, 6);
  assert.equal(world.posted.length, 0);
  play.pause();
  plays.rest(play);
  await world.pass(10_000);
  assert.equal(world.posted.length, 1);
});

test("a header stays short", async () => {
  const { plays, sound } = setup();
  for (let i = 0; i < 20; i++) {
    const play = plays.begin("T".repeat(900));
    await sound(play, 0, 1);
    plays.end(play);
  }
  const play = plays.begin("T".repeat(900));
  assert.ok(plays.rider(play).text.length <= 4000);
});
