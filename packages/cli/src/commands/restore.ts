import { type Command, Option } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { asFailure } from "../failure.ts";
import { escapeControls } from "../format.ts";
import { remoteAddress } from "../remote-path.ts";
import { entryResource } from "../resource.ts";
import { Tally } from "../tally.ts";

interface RestoreCommandOptions {
  readonly onConflict: "fail" | "rename";
}

export function addRestoreCommand(program: Command, act: Act): void {
  const command = program
    .command("restore")
    .description("Bring files and folders back from the trash, to where they were.")
    .argument("<file_id...>", "ids or beginnings of ids, as `cairn trash list` shows them")
    .addOption(
      new Option("--on-conflict <what>", "what to do when the name is taken by now")
        .choices(["fail", "rename"])
        .default("fail"),
    );
  addExamples(command, [["cairn restore f_01j9zk", "undo a delete"]]);
  act(command, restore);
}

async function restore(
  context: CommandContext,
  options: RestoreCommandOptions,
  addresses: readonly string[],
): Promise<undefined> {
  const { output, signal } = context;
  const client = await context.client();
  const tally = new Tally(output);
  for (const address of addresses) {
    signal.throwIfAborted();
    try {
      const entry = await client.restore(remoteAddress(address), { onConflict: options.onConflict, signal });
      tally.succeeded();
      if (output.format === "json") {
        await output.document({ type: "item", action: "restored", entry: entryResource(entry) });
      } else if (output.format === "ids") await output.line(entry.id);
      else if (output.format === "plain") await output.fields([entry.id, entry.path, "restored"]);
      else await output.line(`Restored: ${escapeControls(entry.path)}`);
    } catch (error) {
      await tally.failedItem(address, asFailure(error));
    }
  }
  if (output.format === "json") {
    const restored = addresses.length - tally.failed;
    await output.document({ type: "summary", restored, failed: tally.failed });
  }
  tally.finish();
}
