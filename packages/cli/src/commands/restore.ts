import { type Command, Option } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { exitCodes } from "../exit-codes.ts";
import { asFailure, Failure } from "../failure.ts";
import { escapeControls } from "../format.ts";
import { looksLikeId, remotePath } from "../remote-path.ts";
import { entryResource } from "../resource.ts";
import { Tally } from "../tally.ts";
import { trashedEntries } from "../trashed-entries.ts";

interface RestoreCommandOptions {
  readonly onConflict: "fail" | "rename";
}

export function addRestoreCommand(program: Command, act: Act): void {
  const command = program
    .command("restore")
    .description("Bring files and folders back from the trash, to where they were.")
    .argument("<file_id...>", "ids, beginnings of ids, or paths, as `cairn trash list` shows them")
    .addOption(
      new Option("--on-conflict <what>", "what to do when the name is taken by now")
        .choices(["fail", "rename"])
        .default("fail"),
    );
  addExamples(command, [
    ["cairn restore f_01j9zk", "undo a delete"],
    ["cairn restore /report.pdf --on-conflict rename", "by the path it had"],
  ]);
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
      const id = looksLikeId(address) ? address : await findTrashed(context, remotePath(address));
      const entry = await client.restore(id, { onConflict: options.onConflict, signal });
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

/** The id of the one thing in the trash that had this path. Several may have had it, one after the other. */
async function findTrashed(context: CommandContext, path: string): Promise<string> {
  const found: string[] = [];
  for await (const entry of trashedEntries(context)) if (entry.path === path) found.push(entry.id);
  const [id] = found;
  if (id !== undefined && found.length === 1) return id;
  if (id === undefined) {
    const hint = "see what is there with `cairn trash list`";
    throw new Failure("E_NOT_FOUND", `${path}: not in the trash`, { exitCode: exitCodes.notFound, hint });
  }
  throw new Failure("E_CONFLICT", `${found.length} things in the trash had the path ${path}`, {
    exitCode: exitCodes.conflict,
    hint: `name one by its id: ${found.slice(0, 10).join(", ")}`,
  });
}
