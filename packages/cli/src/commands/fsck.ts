import type { ClusterFolders, Depth, FsckProgress, FsckReport } from "@cairn/fsck";
import type { Command } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { exitCodes } from "../exit-codes.ts";
import { Failure, usageFailure } from "../failure.ts";
import { formatBytes, formatCount } from "../format.ts";
import { countValue } from "../option-values.ts";
import { fsckDocument, writeFsckReport } from "./fsck-report.ts";
import { collected } from "./start.ts";

interface FsckOptions {
  readonly database?: string;
  readonly disk?: readonly string[];
  readonly deep?: boolean;
  readonly shallow?: boolean;
  readonly partial?: boolean;
  readonly limit?: number;
}

const progressEveryMs = 2000;

export function addFsckCommand(program: Command, act: Act): void {
  const fsck = program
    .command("fsck")
    .description("Check database and disks against each other, on their own files; changes nothing.")
    .option("--deep", "read the SHA-256 of every chunk as well, not checksums only")
    .option("--shallow", "read the headers of records only, not their bytes")
    .option("--limit <count>", "findings of each kind and files to show (default: 20)", countValue)
    .option("--database <file>", "the metadata database, instead of that of the data folder")
    .option("--disk <folder>", "a disk's folder, instead of those of the data folder; as often as needed", collected)
    .option("--partial", "take copies on disks that are out of reach here to be good");
  addExamples(fsck, [
    ["cairn fsck", "the local cluster, running or stopped"],
    ["cairn fsck --deep -q || alert", "ends with 10 on damage, with 11 when copies are missing"],
    ["cairn fsck --database ./metadata.sqlite --disk /mnt/a --disk /mnt/b", "disks of several machines"],
  ]);
  act(fsck, check);
}

async function check(context: CommandContext, options: FsckOptions): Promise<number> {
  const { checkCluster, FsckError } = await import("@cairn/fsck");
  const folders = await foldersOf(context, options);
  const progress = progressLines(context);
  try {
    const { limit, partial } = options;
    const depth = depthOf(options);
    const report = await checkCluster(folders, { depth, limit, partial, signal: context.signal, progress });
    if (context.output.format === "json") await context.output.document(fsckDocument(report));
    else await writeFsckReport(context.output, report);
    return exitCodeOf(report);
  } catch (error) {
    if (!(error instanceof FsckError)) throw error;
    const exitCode = error.again ? exitCodes.unreachable : exitCodes.failure;
    throw new Failure(error.again ? "E_UNREACHABLE" : "E_LOCAL", error.message, {
      exitCode,
      hint: error.hint,
      cause: error,
    });
  }
}

async function foldersOf(context: CommandContext, { database, disk }: FsckOptions): Promise<ClusterFolders> {
  if (disk !== undefined && database === undefined) throw usageFailure("--disk needs --database");
  if (database !== undefined && disk === undefined) throw usageFailure("--database needs at least one --disk");
  if (database !== undefined && disk !== undefined) return { database, disks: disk };
  const { foldersBelow } = await import("@cairn/fsck");
  return foldersBelow(await context.dataFolder());
}

function depthOf({ deep, shallow }: FsckOptions): Depth {
  if (deep && shallow) throw usageFailure("--deep and --shallow exclude each other");
  if (deep) return "hashes";
  return shallow ? "headers" : "checksums";
}

function exitCodeOf({ verdict }: FsckReport): number {
  if (verdict === "damage") return exitCodes.corrupt;
  return verdict === "missing" ? exitCodes.degraded : exitCodes.ok;
}

/** A line on stderr now and then, for checks that take longer than a moment. */
function progressLines({ output, options }: CommandContext): (progress: FsckProgress) => void {
  let last = performance.now();
  return ({ step, done, total, bytes }) => {
    const now = performance.now();
    if (options.progress === "never" || now - last < progressEveryMs) return;
    last = now;
    const words = { names: "versions", references: "passes of references", segments: "groups", files: "files" }[step];
    const share = total > 0 ? `${formatCount(done)} of ${formatCount(total)} ${words}` : words;
    output.note(`Checking ${share}${bytes > 0 ? ` · ${formatBytes(bytes)} read` : ""}`);
  };
}
