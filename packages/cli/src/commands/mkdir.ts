import type { Command } from "commander";
import type { Act } from "../command-context.ts";
import { showEntry } from "../entry-line.ts";
import { addExamples } from "../examples.ts";
import { exitCodes } from "../exit-codes.ts";
import { asFailure, Failure } from "../failure.ts";
import { remotePath } from "../remote-path.ts";

interface MkdirCommandOptions {
  readonly parents?: boolean;
}

export function addMkdirCommand(program: Command, act: Act): void {
  const command = program
    .command("mkdir")
    .description("Make a folder.")
    .argument("<path>", "path of the folder")
    .option("-p, --parents", "make missing folders on the way; a folder that exists is no error");
  addExamples(command, [["cairn mkdir -p /Projects/2026", "with the folders above it"]]);
  act(command, async (context, options: MkdirCommandOptions, path: string) => {
    const client = await context.client();
    const parents = options.parents ?? false;
    try {
      const entry = await client.createFolder(remotePath(path), { parents, signal: context.signal });
      await showEntry(context.output, entry);
    } catch (error) {
      throw withHint(error, parents);
    }
    return undefined;
  });
}

/** What helps here is an option of this command. */
function withHint(error: unknown, parents: boolean): Failure {
  const { code, message, exitCode, hint, requestId, cause } = asFailure(error);
  const better =
    exitCode === exitCodes.notFound || exitCode === exitCodes.conflict
      ? "with -p missing folders on the way are made, and one that exists is no error"
      : hint;
  return new Failure(code, message, { exitCode, hint: parents ? hint : better, requestId, cause });
}
