// What the home instance is told of a play: which parts of a track were heard. It rides on requests that are made anyway;
// only the last words of a play may need one of their own.
import { b64u } from "./bytes";

/** A part of a track that was heard, in seconds. */
type Part = [from: number, until: number];

/** What a request carries, and what to call once it has arrived. */
export interface Rider {
  text: string;
  /** Whether the request must reach the server, and is not to be answered from the browser's cache. */
  due: boolean;
  arrived(): void;
}

/** What the browser offers; tests pass their own. */
export interface World {
  /** Milliseconds that only grow. */
  now(): number;
  random(n: number): Uint8Array;
  /** Sends text to the home instance, also while the page goes away. Whether it was taken. */
  post(text: string): Promise<boolean>;
  later(run: () => void, millis: number): void;
}

const period = 30_000;
/** How long the last words of a play wait for a request to ride on. */
const patience = 10_000;
/** How many plays one request reports on, how long its header may be, and how many parts one play has. */
const mostPlays = 8;
const mostHeader = 4000;
const mostParts = 32;

const browserWorld: World = {
  now: () => performance.now(),
  random: (n) => crypto.getRandomValues(new Uint8Array(n)),
  post: async (text) => {
    try {
      return (await fetch("/play/listen", { method: "POST", body: text, keepalive: true, credentials: "omit" })).ok;
    } catch {
      return false;
    }
  },
  later: (run, millis) => void setTimeout(run, millis),
};

/** One play of one track. */
export class Play {
  readonly session: string;
  private parts: Part[] = [];
  /** Where the sound was, and when. */
  private last?: { at: number; now: number };
  private began?: number;
  /** When it was told last, and how much of it was known then. */
  private told = -Infinity;
  private known = -1;

  constructor(private readonly ticket: string, private readonly world: World) {
    this.session = b64u(world.random(16));
  }

  /** The sound has come to a place, in seconds. What lies between two calls was heard if it can have been. */
  hear(at: number): void {
    const now = this.world.now();
    const { last } = this;
    this.last = { at, now };
    if (!last || at <= last.at || at - last.at > ((now - last.now) / 1000) * 1.2 + 0.3) return;
    this.began ??= now - (at - last.at) * 1000;
    this.add(last.at, at);
  }

  /** The sound stands still, or jumps. */
  pause(): void {
    this.last = undefined;
  }

  /** Seconds that were heard. */
  get seconds(): number {
    return this.parts.reduce((sum, [from, until]) => sum + until - from, 0);
  }

  /** Whether there is something that was not told. */
  get fresh(): boolean {
    return this.seconds > Math.max(this.known, 0);
  }

  /** Whether it is time to tell: at the beginning, then every half minute. */
  get due(): boolean {
    return this.known < 0 || (this.fresh && this.world.now() - this.told >= period);
  }

  /** The whole of it in the words of the server. */
  text(): string {
    const age = this.began === undefined ? 0 : Math.round((this.world.now() - this.began) / 1000);
    const parts = this.parts
      .map(([from, until]) => [Math.round(from * 10), Math.round(until * 10)])
      .filter(([from, until]) => from < until)
      .sort((a, b) => b[1] - b[0] - (a[1] - a[0])).slice(0, mostParts).sort((a, b) => a[0] - b[0]);
    return `${this.session} ${this.ticket} ${age} ${parts.map((p) => p.join("-")).join(",")}`;
  }

  /** Notes that it is being told now; what it returns is called when it has arrived. */
  telling(): () => void {
    const { seconds } = this;
    this.told = this.world.now();
    return () => (this.known = Math.max(this.known, seconds));
  }

  private add(from: number, until: number): void {
    const apart = this.parts.filter(([a, b]) => b < from || a > until);
    for (const [a, b] of this.parts) {
      if (b < from || a > until) continue;
      from = Math.min(from, a);
      until = Math.max(until, b);
    }
    this.parts = [...apart, [from, until] as Part].sort((a, b) => a[0] - b[0]);
  }
}

/** All plays of a page. */
export class Plays {
  private open = new Set<Play>();
  private ended: Play[] = [];

  constructor(private readonly world: World = browserWorld) {}

  /** Begins a play with the ticket that the home instance gave. */
  begin(ticket: string): Play {
    const play = new Play(ticket, this.world);
    this.open.add(play);
    return play;
  }

  /** Ends a play. What is left to tell of it goes with the next request, or alone if there is none soon. */
  end(play: Play): void {
    play.pause();
    if (!this.open.delete(play) || !play.fresh) return;
    this.ended = [...this.ended, play].slice(-mostPlays + 1);
    this.world.later(() => void this.send([...this.ended]), patience);
  }

  /** A play stands still. What is left to tell of it is told soon, unless it goes on. */
  rest(play: Play): void {
    const { seconds } = play;
    if (play.fresh) this.world.later(() => play.seconds === seconds && this.open.has(play) && void this.send([play]), patience);
  }

  /** What a request of a play carries. */
  rider(play: Play): Rider {
    // The first one named is the one that the block is fetched for.
    let text = play.due ? play.text() : play.session;
    const told = play.due ? [play] : [];
    for (const other of this.ended) {
      const more = `${text};${other.text()}`;
      if (more.length > mostHeader) break;
      text = more;
      told.push(other);
    }
    return { text, due: told.length > 0, arrived: this.tell(told) };
  }

  /** Tells everything that was not told: the page may go away. */
  flush(): void {
    void this.send([...this.open, ...this.ended].filter((p) => p.fresh));
  }

  private tell(all: Play[]): () => void {
    const arrived = all.map((p) => p.telling());
    return () => {
      for (const done of arrived) done();
      this.ended = this.ended.filter((p) => p.fresh);
    };
  }

  private async send(all: Play[]): Promise<void> {
    all = all.filter((p) => p.fresh).slice(-mostPlays);
    if (all.length === 0) return;
    const text = all.map((p) => p.text()).join(";");
    const told = this.tell(all);
    if (await this.world.post(text)) told();
  }
}
