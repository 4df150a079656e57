import type { Command } from "commander";
import type { Act } from "../command-context.ts";
import { showEntry } from "../entry-line.ts";
import { addExamples } from "../examples.ts";
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
    await showEntry(context.output, await client.createFolder(remotePath(path), { parents, signal: context.signal }));
    return undefined;
  });
}
