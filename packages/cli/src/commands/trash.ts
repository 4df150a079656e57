import type { Entry } from "@cairn/protocol";
import type { Command } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { confirm } from "../confirmation.ts";
import { addExamples } from "../examples.ts";
import { formatAge, formatBytes, formatItems, formatTime } from "../format.ts";
import { durationValue } from "../option-values.ts";
import { entryResource } from "../resource.ts";
import { renderTable } from "../table.ts";
import { trashedEntries } from "../trashed-entries.ts";

interface EmptyCommandOptions {
  readonly olderThan?: number;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

export function addTrashCommand(program: Command, act: Act): void {
  const trash = program.command("trash").description("See and empty the trash.");
  addExamples(trash, [["cairn trash list", "what could be restored"]]);
  const list = trash.command("list").alias("ls").description("List what is in the trash.");
  addExamples(list, [["cairn trash list", "what could be restored with cairn restore"]]);
  act(list, listTrash);
  const empty = trash
    .command("empty")
    .description("Remove for good what is in the trash.")
    .option("--older-than <duration>", "only what has been there for so long, such as 30d", durationValue)
    .option("-y, --yes", "do not ask")
    .option("-n, --dry-run", "show what would be removed and change nothing");
  addExamples(empty, [
    ["cairn trash empty", "everything, after asking"],
    ["cairn trash empty --older-than 30d --yes", "in a script"],
  ]);
  act(empty, emptyTrash);
}

async function listTrash(context: CommandContext): Promise<undefined> {
  const { output } = context;
  const entries: Entry[] = [];
  for await (const entry of trashedEntries(context)) entries.push(entry);
  switch (output.format) {
    case "json":
      await output.document({ items: entries.map(entryResource), totalCount: entries.length });
      return;
    case "ids":
      for (const { id } of entries) await output.line(id);
      return;
    case "plain":
      for (const entry of entries) {
        await output.fields([entry.id, entry.path, entry.size, formatTime(entry.trashedAt ?? 0), entry.kind]);
      }
      return;
    case "human":
      if (entries.length === 0) output.note("The trash is empty.");
      else await output.line(trashTable(entries));
  }
}

function trashTable(entries: readonly Entry[]): string {
  const now = Date.now();
  const columns = [
    { title: "ID" },
    { title: "PATH" },
    { title: "SIZE", align: "right" },
    { title: "DELETED" },
  ] as const;
  return renderTable(
    columns,
    entries.map((entry) => [
      entry.id,
      `${entry.path}${entry.kind === "folder" ? "/" : ""}`,
      entry.kind === "folder" ? "–" : formatBytes(entry.size),
      entry.trashedAt === undefined ? "–" : formatAge(entry.trashedAt, now),
    ]),
  );
}

async function emptyTrash(context: CommandContext, options: EmptyCommandOptions): Promise<undefined> {
  const { output, signal } = context;
  const before = options.olderThan === undefined ? undefined : Date.now() - options.olderThan;
  const removed = options.dryRun ? await countTrashed(context, before) : await removeTrashed(context, options, before);
  if (output.format === "json") await output.document({ removed, dryRun: options.dryRun ?? false });
  else if (output.format === "plain") await output.fields([removed]);
  else if (output.format === "human") {
    await output.line(`${options.dryRun ? "Would remove" : "Removed"} ${formatItems(removed, "item")} for good.`);
  }
  signal.throwIfAborted();
}

async function countTrashed(context: CommandContext, before: number | undefined): Promise<number> {
  let count = 0;
  for await (const { trashedAt } of trashedEntries(context)) if ((trashedAt ?? 0) < (before ?? Infinity)) count++;
  return count;
}

async function removeTrashed(
  context: CommandContext,
  options: EmptyCommandOptions,
  before: number | undefined,
): Promise<number> {
  await confirm(context, "Remove what is in the trash for good?", options.yes ?? false);
  const client = await context.client();
  return client.emptyTrash({ ...(before === undefined ? {} : { before }), signal: context.signal });
}
