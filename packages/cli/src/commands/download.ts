import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { CairnClient } from "@cairn/client";
import type { Entry } from "@cairn/protocol";
import type { Command } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { showDownload } from "../download/downloaded-item.ts";
import { downloadFile } from "../download/file-download.ts";
import { FolderDownload } from "../download/folder-download.ts";
import { isSafeName } from "../download/remote-tree.ts";
import { addExamples } from "../examples.ts";
import { localFailure, usageFailure } from "../failure.ts";
import { formatBytes, formatDuration } from "../format.ts";
import { countValue } from "../option-values.ts";
import { TransferProgress } from "../progress.ts";
import { remoteAddress } from "../remote-path.ts";

interface DownloadCommandOptions {
  readonly output: string;
  readonly force?: boolean;
  readonly transfers: number;
}

export function addDownloadCommand(program: Command, act: Act): void {
  const command = program
    .command("download")
    .alias("get")
    .description("Fetch a file or folder, verified. Run the same command again to resume.")
    .argument("<file_id>", "id, beginning of an id, or path")
    .requiredOption("-o, --output <path>", "where to put it; a file goes into a folder that exists; - is stdout")
    .option("-f, --force", "replace a file of other content")
    .option("--transfers <count>", "large files at once; small ones eight times as many", countValue, 4);
  addExamples(command, [
    ["cairn download f_01j9zk --output ./report.pdf", "one file by the beginning of its id"],
    ["cairn download /Archive/photos --output ./photos", "a folder with everything in it"],
    ["cairn download /backups/db.sql --output - | psql db", "to a pipe"],
  ]);
  act(command, download);
}

async function download(
  context: CommandContext,
  options: DownloadCommandOptions,
  address: string,
): Promise<number | undefined> {
  if (options.output === "") throw usageFailure("--output names nothing");
  const client = await context.client();
  const entry = await client.stat(remoteAddress(address), { signal: context.signal });
  if (options.output === "-") {
    if (entry.kind === "folder") throw usageFailure(`${entry.path} is a folder`, "stdout takes one file");
    return toStdout(context, client, entry);
  }
  const output = resolve(context.terminal.cwd, options.output);
  if (entry.kind === "folder") {
    const run = new FolderDownload(context, client, { force: options.force ?? false, transfers: options.transfers });
    await run.run({ entry, output });
    return undefined;
  }
  return toFile(context, client, { entry, output: await placeOf(output, entry, options.output), options });
}

async function toFile(
  context: CommandContext,
  client: CairnClient,
  { entry, output, options }: { entry: Entry; output: string; options: DownloadCommandOptions },
): Promise<undefined> {
  const state = { bytesDone: 0, bytesTotal: entry.size, bytesKnown: 0, filesDone: 0, filesTotal: 1 };
  using progress = new TransferProgress(context.output, "Downloading", () => state);
  progress.start(context.terminal, context.options.progress ?? "auto");
  const action = await downloadFile(
    client,
    { entry, output },
    {
      force: options.force ?? false,
      signal: context.signal,
      onProgress: (bytesDone, bytesKnown) => Object.assign(state, { bytesDone, bytesKnown }),
    },
  );
  progress[Symbol.dispose]();
  await showDownload(context, { action, entry, output });
  if (context.output.format === "json") await context.output.document(summaryOf(entry, action, progress.elapsedMs));
  const known = state.bytesKnown > 0 ? ` (${formatBytes(state.bytesKnown)} were there already)` : "";
  if (action === "downloaded") {
    const took = formatDuration(progress.elapsedMs);
    context.output.note(`Downloaded ${formatBytes(entry.size)}${known} in ${took}, verified.`);
  }
  return undefined;
}

function summaryOf(entry: Entry, action: string, elapsedMs: number): unknown {
  const unchanged = action === "unchanged" ? 1 : 0;
  const seconds = Math.round(elapsedMs) / 1000;
  return { type: "summary", files: 1, folders: 0, unchanged, bytes: entry.size, failed: 0, seconds };
}

async function toStdout(context: CommandContext, client: CairnClient, entry: Entry): Promise<undefined> {
  if (context.output.flags.json) throw usageFailure("--json does not go with --output -", "stdout is the file itself");
  const state = { bytesDone: 0, bytesTotal: entry.size, bytesKnown: 0, filesDone: 0, filesTotal: 1 };
  using progress = new TransferProgress(context.output, "Downloading", () => state);
  // A bar on the terminal that shows the file itself would end up within it.
  const wanted = context.terminal.stdout.isTTY === true ? "never" : (context.options.progress ?? "auto");
  progress.start(context.terminal, wanted);
  const { bytes } = await client.download(entry.id, { version: entry.version, signal: context.signal });
  for await (const piece of bytes) {
    await context.output.data(piece);
    state.bytesDone += piece.length;
  }
  return undefined;
}

/** A folder that exists, or a path that ends like one, takes the file under its own name. */
async function placeOf(output: string, entry: Entry, given: string): Promise<string> {
  const found = await stat(output).catch(() => undefined);
  const namesFolder = /[/\\]$/.test(given);
  if (found?.isDirectory() !== true) {
    if (!namesFolder) return output;
    throw localFailure(`the folder ${output} does not exist`, "make it first, or choose another --output");
  }
  if (isSafeName(entry.name)) return join(output, entry.name);
  throw localFailure(`a file cannot be named ${entry.name} here`, "name the file itself with --output");
}
