// Says in words why a track does not play.
import { hasText, say } from "./words";

/** An error of any of our modules that names its fault, with the values for the words it is told in. */
export class PlayError extends Error {
  constructor(readonly fault: "login" | "none" | "lent" | "member" | "seed" | "revoked" | "offline" | "other", readonly values: Record<string, string | number> = {}) {
    super(fault);
  }
}

/** The words for an error, and what the button beside them does. The texts are named "player.err." + fault. */
export function faultOf(error: unknown): { words: string; act: "again" | "login" | "pool" } {
  const { fault, values } = (error ?? {}) as { fault?: string; values?: Record<string, string | number> };
  if (fault && hasText(`player.err.${fault}`)) {
    const act = fault === "login" || fault === "seed" ? "login" : fault === "member" ? "pool" : "again";
    return { words: say(`player.err.${fault}`, values), act };
  }
  const text = error instanceof Error ? error.message : "";
  return { words: say(/buffer|codec|decode|media/i.test(text) ? "player.err.decode" : "player.err.other"), act: "again" };
}
