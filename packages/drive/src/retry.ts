import { isKind } from "@cairn/protocol";
import type { DriveEnv } from "./services.ts";

const attemptsMax = 4;
const firstPauseMs = 100;

/**
 * Asks the metadata server again while it is unavailable or overloaded: three more times, with pauses that double and
 * are spread by chance. Only for calls that may be repeated.
 */
export async function retrying<Result>(
  env: Pick<DriveEnv, "clock" | "random">,
  signal: AbortSignal | undefined,
  work: () => Promise<Result>,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt === attemptsMax || !isKind(error, "unavailable", "overloaded") || signal?.aborted) throw error;
      await env.clock.sleep(firstPauseMs * 2 ** attempt * (0.5 + env.random.fraction()), signal);
    }
  }
}
