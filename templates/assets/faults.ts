// Says in words why a track does not play.
import { BlockError } from "./cid";
import { say } from "./words";

/** Why a bought track was not opened; the names are those of the texts "player.err.*". */
export type PlayFault =
  | "login" | "none" | "seed" | "otherkey" | "proof" | "revoked" | "expired" | "proxies" | "badkey" | "offline" | "other";

/** A bought track that was not opened. */
export class PlayError extends Error {
  constructor(readonly fault: PlayFault, readonly values: Record<string, string | number> = {}, cause?: unknown) {
    super(fault, { cause });
  }
}

/** The words for an error, and what the button beside them does. */
export function faultOf(error: unknown): { words: string; act: "again" | "login" } {
  if (error instanceof PlayError) {
    return { words: say(`player.err.${error.fault}`, error.values), act: error.fault === "login" || error.fault === "seed" ? "login" : "again" };
  }
  if (error instanceof BlockError) {
    return { words: say(`player.err.${error.fault}`), act: error.fault === "login" ? "login" : "again" };
  }
  const text = error instanceof Error ? error.message : "";
  return { words: say(/buffer|codec|decode|media/i.test(text) ? "player.err.decode" : "player.err.other"), act: "again" };
}
