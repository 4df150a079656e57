import { CommanderError } from "commander";
import { type Act, CommandContext } from "./command-context.ts";
import { exitCodes } from "./exit-codes.ts";
import { asFailure, Failure, usageFailure } from "./failure.ts";
import { type GlobalOptions, outputFlags, outputFlagsOfRaw } from "./global-options.ts";
import { Interruption, type SignalSource } from "./interruption.ts";
import { Output } from "./output.ts";
import { buildProgram } from "./program.ts";
import type { Terminal } from "./terminal.ts";

/** What a run may take of its process. */
export interface RunParts {
  readonly signals?: SignalSource | undefined;
  /** Ends the process at once, for a second Ctrl-C. */
  readonly exit?: ((code: number) => void) | undefined;
}

/** Runs one command line (without the program's name) and answers its exit code. Never throws. */
export async function runCairn(argv: readonly string[], terminal: Terminal, parts: RunParts = {}): Promise<number> {
  let output = new Output(terminal, outputFlagsOfRaw(argv, terminal.env));
  let exitCode: number = exitCodes.ok;
  using interruption = new Interruption(parts.signals, {
    onFirst: () => output.warn("stopping; press Ctrl-C again to stop at once"),
    endAtOnce: parts.exit ?? (() => undefined),
  });
  const act: Act = (command, run) => {
    command.action(async (...received: unknown[]) => {
      const options = command.optsWithGlobals() as GlobalOptions;
      output = new Output(terminal, outputFlags(options, terminal.env));
      await using context = new CommandContext(terminal, output, {
        options,
        signal: interruption.signal,
        leaveSignals: () => interruption[Symbol.dispose](),
      });
      // Commander hands over the arguments, then the options, then the command itself.
      const work = run as unknown as (
        context: CommandContext,
        options: unknown,
        ...args: unknown[]
      ) => Promise<number | undefined>;
      exitCode = (await work(context, options, ...received.slice(0, -2))) ?? exitCodes.ok;
    });
  };
  const program = buildProgram(act, terminal);
  try {
    await program.parseAsync(argv, { from: "user" });
    return exitCode;
  } catch (error) {
    // Without a command the person wants to know what there is.
    if (error instanceof CommanderError && argv.length === 0) {
      program.outputHelp();
      return exitCodes.ok;
    }
    return report(error, output, interruption);
  }
}

function report(error: unknown, output: Output, interruption: Interruption): number {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return exitCodes.ok;
    const failure = failureOfCommander(error);
    output.failure(failure);
    return failure.exitCode;
  }
  if (isClosedPipe(error)) return exitCodes.ok;
  if (interruption.exitCode !== undefined) {
    const failure = new Failure("E_INTERRUPTED", "stopped", {
      exitCode: interruption.exitCode,
      hint: "resume with the same command",
      cause: error,
    });
    output.failure(failure);
    return failure.exitCode;
  }
  const failure = asFailure(error);
  output.failure(failure);
  return failure.exitCode;
}

/** Commander's messages look like `error: unknown command 'lst'\n(Did you mean list?)`. */
function failureOfCommander(error: CommanderError): Failure {
  if (error.code === "commander.help") return usageFailure("this needs a command", "see --help");
  const [message = "", suggestion] = error.message.replace(/^error: /, "").split("\n");
  const meant = suggestion?.match(/^\(Did you mean (?:one of )?(.*?)\?\)$/)?.[1];
  return usageFailure(message, meant === undefined ? "see --help" : `did you mean ${meant}?`);
}

function isClosedPipe(error: unknown): boolean {
  return error instanceof Error && (error as { code?: unknown }).code === "EPIPE";
}
