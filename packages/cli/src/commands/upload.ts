import { type Command, Option } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { exitCodes } from "../exit-codes.ts";
import { usageFailure } from "../failure.ts";
import { formatBytes, formatDuration } from "../format.ts";
import { countValue } from "../option-values.ts";
import { uploadsFolder } from "../places.ts";
import { TransferProgress } from "../progress.ts";
import { looksLikeId, remotePath } from "../remote-path.ts";
import { localRoots } from "../upload/local-tree.ts";
import { UploadLedger } from "../upload/upload-ledger.ts";
import type { UploadConflict } from "../upload/upload-run.ts";
import { showItem } from "../upload/uploaded-item.ts";

interface UploadCommandOptions {
  readonly to: string;
  readonly name?: string;
  readonly onConflict: UploadConflict;
  readonly transfers: number;
  readonly dryRun?: boolean;
  readonly errorIfUnchanged?: boolean;
}

export function addUploadCommand(program: Command, act: Act): void {
  const command = program
    .command("upload")
    .alias("put")
    .description("Store files and folders. Run the same command again to resume.")
    .argument("<path...>", "files and folders on this machine; - is stdin")
    .option("--to <folder>", "folder in the drive; made when it is missing", "/")
    .option("--name <name>", "name to store it under (needed for stdin)")
    .addOption(
      new Option("--on-conflict <what>", "what to do when the name is taken")
        .choices(["fail", "skip", "rename", "replace", "version"])
        .default("version"),
    )
    .option("--transfers <count>", "large files at once; small ones eight times as many", countValue, 4)
    .option("-n, --dry-run", "show what would be uploaded and change nothing")
    .option("--error-if-unchanged", "end with exit code 9 when there was nothing new");
  addExamples(command, [
    ["cairn upload ./report.pdf", "one file; prints its id and path"],
    ["cairn upload ./photos --to /Archive", "a folder, to /Archive/photos"],
    ["cairn upload ./a.txt ./b.txt --on-conflict skip", "leave what is there"],
    ["pg_dump db | cairn upload - --name db.sql --to /backups", "from a pipe"],
  ]);
  act(command, upload);
}

async function upload(
  context: CommandContext,
  options: UploadCommandOptions,
  paths: readonly string[],
): Promise<number | undefined> {
  if (paths.includes("-")) return uploadStdin(context, options, paths);
  if (options.name !== undefined && paths.length > 1) throw usageFailure("--name goes with one path only");
  const roots = await localRoots(paths, context.terminal.cwd, options.name);
  const client = await context.client();
  const folder = await targetFolder(context, options);
  const ledger = new UploadLedger(uploadsFolder(context.terminal));
  await ledger.forgetOld(Date.now());
  const { UploadRun } = await import("../upload/upload-run.ts");
  const run = new UploadRun(context, {
    client,
    ledger,
    server: (await context.connection()).url,
    options: {
      folder,
      onConflict: options.onConflict,
      transfers: options.transfers,
      dryRun: options.dryRun ?? false,
    },
  });
  const changed = await run.run(roots);
  return !changed && options.errorIfUnchanged ? exitCodes.unchanged : exitCodes.ok;
}

async function uploadStdin(
  context: CommandContext,
  options: UploadCommandOptions,
  paths: readonly string[],
): Promise<number | undefined> {
  const { stdin } = context.terminal;
  const { name } = options;
  if (paths.length > 1) throw usageFailure("- goes alone: stdin is one file");
  if (name === undefined) throw usageFailure("stdin has no name", "give one with --name");
  if (stdin.isTTY === true) throw usageFailure("stdin is a terminal", "pipe something in: pg_dump db | cairn upload -");
  if (options.dryRun) throw usageFailure("--dry-run does not go with stdin");
  const client = await context.client();
  const folder = await targetFolder(context, options);
  if (options.onConflict === "skip") throw usageFailure("--on-conflict skip does not go with stdin");
  const state = { bytesDone: 0, bytesTotal: undefined, bytesKnown: 0, filesDone: 0, filesTotal: 1 };
  using progress = new TransferProgress(context.output, "Uploading", () => state);
  progress.start(context.terminal, context.options.progress ?? "auto");
  const { entry, changed } = await client.upload(
    { stream: stdin as AsyncIterable<Uint8Array> },
    { folder, name, onConflict: options.onConflict },
    { signal: context.signal, onProgress: (now) => Object.assign(state, now, { bytesTotal: undefined }) },
  );
  progress[Symbol.dispose]();
  const action = changed ? "uploaded" : "unchanged";
  await showItem(context, { action, source: "-", target: entry.path, size: entry.size, entry });
  if (context.output.format === "json") {
    const seconds = Math.round(progress.elapsedMs) / 1000;
    const counts = { files: 1, folders: 0, bytes: entry.size, bytesKnown: state.bytesKnown };
    const rest = { unchanged: changed ? 0 : 1, skipped: 0, failed: 0, seconds, dryRun: false };
    await context.output.document({ type: "summary", ...counts, ...rest });
  }
  context.output.note(`Uploaded ${formatBytes(entry.size)} in ${formatDuration(progress.elapsedMs)}.`);
  return !changed && options.errorIfUnchanged ? exitCodes.unchanged : exitCodes.ok;
}

/** The folder's path; a missing one is made, with its parents, unless this is a dry run. */
async function targetFolder(context: CommandContext, options: UploadCommandOptions): Promise<string> {
  const client = await context.client();
  const { signal } = context;
  if (looksLikeId(options.to)) {
    const entry = await client.stat(options.to, { signal });
    if (entry.kind === "folder") return entry.path;
    throw usageFailure(`${entry.path} is a file, not a folder`, "name a folder with --to");
  }
  const path = remotePath(options.to);
  if (path !== "/" && options.dryRun !== true) await client.createFolder(path, { parents: true, signal });
  return path;
}
