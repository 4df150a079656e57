import type { Command } from "commander";
import type { Act } from "../command-context.ts";
import { showEntry } from "../entry-line.ts";
import { addExamples } from "../examples.ts";
import { remoteAddress } from "../remote-path.ts";
import { conflictOption } from "./move.ts";

interface RenameCommandOptions {
  readonly onConflict: "fail" | "rename" | "replace";
}

export function addRenameCommand(program: Command, act: Act): void {
  const command = program
    .command("rename")
    .description("Give a file or folder another name.")
    .argument("<file_id>", "id, beginning of an id, or path")
    .argument("<name>", "the new name")
    .addOption(conflictOption());
  addExamples(command, [["cairn rename f_01j9zk 'final v2.pdf'", "keeps the id and all versions"]]);
  act(command, async (context, options: RenameCommandOptions, address: string, name: string) => {
    const client = await context.client();
    const { onConflict } = options;
    const entry = await client.rename(remoteAddress(address), name, { onConflict, signal: context.signal });
    await showEntry(context.output, entry);
    return undefined;
  });
}
