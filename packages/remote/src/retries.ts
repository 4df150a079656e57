import type { Clock, Random } from "@cairn/env";
import { isKind, type StorageError } from "@cairn/protocol";

/** Tries of a repeatable call that finds nobody, or one who is too busy. */
export const triesMax = 3;
const firstPauseMs = 100;

/** Repeats what may be repeated after growing, random pauses. Throws the last failure; cancelled while it waits. */
export async function withRetries<Result>(
  { clock, random }: { readonly clock: Clock; readonly random: Random },
  { tries, signal }: { readonly tries: number; readonly signal?: AbortSignal | undefined },
  work: () => Promise<Result>,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (attempt >= tries || !isPassing(error)) throw error;
      await clock.sleep(random.fraction() * firstPauseMs * 4 ** attempt, signal);
    }
  }
}

/** No answer, or an answer that says "later": repeating may help. A refusal with a reason stays a refusal. */
function isPassing(error: unknown): error is StorageError {
  return isKind(error, "overloaded") || (isKind(error, "unavailable") && "code" in error.details);
}
