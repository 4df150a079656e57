import type { Command } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { usageFailure } from "../failure.ts";
import { type ByteRange, rangeValue } from "../option-values.ts";
import { remoteAddress } from "../remote-path.ts";

interface CatCommandOptions {
  readonly range?: ByteRange;
}

export function addCatCommand(program: Command, act: Act): void {
  const command = program
    .command("cat")
    .description("Write a file, or a part of it, to stdout.")
    .argument("<file_id>", "id, beginning of an id, or path")
    .option("--range <a-b>", "bytes a to b, both included; a- to the end; -n the last n", rangeValue);
  addExamples(command, [
    ["cairn cat /logs/app.log", "a whole file"],
    ["cairn cat /logs/app.log --range 0-4095", "the first 4096 bytes"],
    ["cairn cat /logs/app.log --range -1000", "the last 1000"],
  ]);
  act(command, cat);
}

async function cat(context: CommandContext, options: CatCommandOptions, address: string): Promise<undefined> {
  if (context.output.flags.json) throw usageFailure("--json does not go with cat", "stdout is the file itself");
  const client = await context.client();
  const entry = await client.stat(remoteAddress(address), { signal: context.signal });
  if (entry.kind === "folder") throw usageFailure(`${entry.path} is a folder`, "see what is in it with `cairn list`");
  const { offset = 0, length } = options.range ?? {};
  const first = offset < 0 ? Math.max(0, entry.size + offset) : offset;
  if (entry.size === 0 && first === 0) return;
  const { version } = entry;
  const { bytes } = await client.download(entry.id, { offset: first, length, version, signal: context.signal });
  for await (const piece of bytes) await context.output.data(piece);
}
