import type { Command } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { confirm } from "../confirmation.ts";
import { addExamples } from "../examples.ts";
import { asFailure } from "../failure.ts";
import { escapeControls, formatItems } from "../format.ts";
import { remoteAddress } from "../remote-path.ts";
import { entryResource } from "../resource.ts";
import { Tally } from "../tally.ts";

interface DeleteCommandOptions {
  readonly permanent?: boolean;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

export function addDeleteCommand(program: Command, act: Act): void {
  const command = program
    .command("delete")
    .alias("rm")
    .description("Move files and folders to the trash.")
    .argument("<file_id...>", "ids, beginnings of ids, or paths")
    .option("--permanent", "remove for good, with everything below")
    .option("-y, --yes", "do not ask before removing for good")
    .option("-n, --dry-run", "show what would be deleted and change nothing");
  addExamples(command, [
    ["cairn delete f_01j9zk", "to the trash; undo with cairn restore"],
    ["cairn delete /old --permanent --yes", "for good, in a script"],
  ]);
  act(command, remove);
}

async function remove(
  context: CommandContext,
  options: DeleteCommandOptions,
  addresses: readonly string[],
): Promise<undefined> {
  const { permanent = false, dryRun = false } = options;
  if (permanent && !dryRun) {
    const what = addresses.length === 1 ? (addresses[0] ?? "") : formatItems(addresses.length, "item");
    await confirm(context, `Remove ${escapeControls(what)} for good?`, options.yes ?? false);
  }
  const tally = new Tally(context.output);
  for (const address of addresses) {
    context.signal.throwIfAborted();
    try {
      await removeOne(context, address, { permanent, dryRun });
      tally.succeeded();
    } catch (error) {
      await tally.failedItem(address, asFailure(error));
    }
  }
  if (context.output.format === "json") {
    const deleted = addresses.length - tally.failed;
    await context.output.document({ type: "summary", deleted, failed: tally.failed, permanent, dryRun });
  }
  tally.finish();
}

async function removeOne(
  context: CommandContext,
  address: string,
  { permanent, dryRun }: { readonly permanent: boolean; readonly dryRun: boolean },
): Promise<void> {
  const { output, signal } = context;
  const client = await context.client();
  const named = remoteAddress(address);
  const entry = dryRun ? await client.stat(named, { signal }) : await client.delete(named, { permanent, signal });
  const action = dryRun ? "planned" : permanent ? "removed" : "trashed";
  switch (output.format) {
    case "json":
      await output.document({ type: "item", action, entry: entryResource(entry) });
      return;
    case "ids":
      await output.line(entry.id);
      return;
    case "plain":
      await output.fields([entry.id, entry.path, action]);
      return;
    case "human": {
      const verb = { planned: "Would delete", removed: "Removed for good", trashed: "Moved to the trash" }[action];
      await output.line(`${verb}: ${escapeControls(entry.path)}`);
      if (action === "trashed") output.note(`Undo: cairn restore ${entry.id}`);
    }
  }
}
