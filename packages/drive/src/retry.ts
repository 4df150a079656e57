import { isKind, limits } from "@cairn/protocol";
import type { DriveEnv } from "./drive-env.ts";

const firstPauseMs = 100;
const pauseMsMax = 2000;

/**
 * How long a call is repeated, ms: at the start of a transfer a user waits for the answer, in its middle for its end. A
 * chunk that no group took is offered again until dead nodes are known as such and groups without them are given out: two
 * nodes that fail in one moment are no outage.
 */
export const patience: { readonly atStart: number; readonly chunk: number; readonly underWay: number } = {
  atStart: 2000,
  chunk: limits.suspectAfterMs + 5000,
  underWay: 45_000,
};

/**
 * Does work again while it fails as unavailable or overloaded, with pauses that double and are spread by
 * chance, until `patienceMs` have gone. Only for calls that may be repeated.
 */
export async function retrying<Result>(
  env: Pick<DriveEnv, "clock" | "random">,
  control: { readonly signal: AbortSignal | undefined; readonly patienceMs: number },
  work: () => Promise<Result>,
): Promise<Result> {
  const { signal, patienceMs } = control;
  const startedAt = env.clock.monotonic();
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const spent = env.clock.monotonic() - startedAt;
      if (spent > patienceMs || !isKind(error, "unavailable", "overloaded") || signal?.aborted) throw error;
      await env.clock.sleep(Math.min(firstPauseMs * 2 ** attempt, pauseMsMax) * (0.5 + env.random.fraction()), signal);
    }
  }
}
