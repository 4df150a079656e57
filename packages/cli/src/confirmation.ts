import { createInterface } from "node:readline/promises";
import type { CommandContext } from "./command-context.ts";
import { exitCodes } from "./exit-codes.ts";
import { Failure, usageFailure } from "./failure.ts";

/**
 * Asks before something that matters. Nobody to ask (stdin or stderr is no terminal): `--yes` is needed, and without
 * it this throws a usage failure instead of waiting for ever.
 */
export async function confirm(context: CommandContext, question: string, yes: boolean): Promise<void> {
  if (yes) return;
  assertAnswerable(context, yes);
  const { stdin, stderr } = context.terminal;
  const prompt = createInterface({ input: stdin, output: stderr });
  try {
    const answer = await prompt.question(`${question} [y/N] `, { signal: context.signal });
    if (/^y(es)?$/i.test(answer.trim())) return;
  } finally {
    prompt.close();
  }
  throw new Failure("E_DECLINED", "nothing was done", { exitCode: exitCodes.failure });
}

/** Throws a usage failure when a question would wait for ever: for those who have something to show before they ask. */
export function assertAnswerable({ terminal: { stdin, stderr } }: CommandContext, yes: boolean): void {
  if (yes || (stdin.isTTY === true && stderr.isTTY === true)) return;
  throw usageFailure("this needs a yes, and nobody is here to ask", "say --yes if you mean it");
}
