import type { ClusterFolders } from "./cluster-folders.ts";
import { AffectedChunks, type AffectedFiles } from "./database/affected-files.ts";
import { hasTable, MetadataDatabase, type Snapshot } from "./database/database.ts";
import { checkReferences } from "./database/references-check.ts";
import { checkStates } from "./database/states-check.ts";
import { checkTree } from "./database/tree-check.ts";
import { checkUsage } from "./database/usage-check.ts";
import { checkVersions } from "./database/versions-check.ts";
import { type FoundDisks, findDisks, tellDropped } from "./disks-check.ts";
import { type Finding, Findings, type FindingTotal, type Level } from "./findings.ts";
import { FsckError } from "./fsck-error.ts";
import { GroupCheck } from "./groups/group-check.ts";
import { type FsckProgress, Pulse } from "./pulse.ts";
import { type DiskFolder, groupsOn } from "./segments/disk-folder.ts";
import type { Depth } from "./segments/layout.ts";

export interface FsckOptions {
  /** Absent: checksums. */
  readonly depth?: Depth | undefined;
  /** Details kept of each kind of finding, and files named. Absent: 20. */
  readonly limit?: number | undefined;
  /** True when some disks are out of reach on purpose: their copies are taken to be good. */
  readonly partial?: boolean | undefined;
  /** Wait before a second look at what looks wrong. Absent: 1,000 ms. */
  readonly secondLookMs?: number | undefined;
  /** Rows of chunks counted in one pass. Absent: a million. */
  readonly rowsPerPass?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly progress?: ((progress: FsckProgress) => void) | undefined;
}

/** What was read, so that a clean answer shows on how much it rests. */
export interface FsckScope {
  readonly entries: number;
  readonly versions: number;
  readonly references: number;
  readonly chunks: number;
  readonly groups: number;
  readonly disks: number;
  /** Records on all disks that are neither deleted nor damaged. */
  readonly records: number;
  readonly depth: Depth;
}

export interface FsckReport {
  /** The worst level of all findings; notes alone are clean. */
  readonly verdict: "clean" | Exclude<Level, "note">;
  readonly cluster: string;
  readonly scope: FsckScope;
  readonly totals: readonly FindingTotal[];
  /** The first findings of each kind. */
  readonly findings: readonly Finding[];
  readonly affected: AffectedFiles;
}

/**
 * Reads the metadata database and all segments on its own, with no code of the servers, and says whether they agree.
 * Changes nothing. The cluster may run meanwhile. Throws FsckError when it cannot read what it needs.
 */
export async function checkCluster(folders: ClusterFolders, options: FsckOptions = {}): Promise<FsckReport> {
  const signal = options.signal ?? new AbortController().signal;
  const pulse = new Pulse(signal, options.progress ?? (() => undefined));
  const { depth = "checksums", limit = 20, partial = false, secondLookMs = 1000 } = options;
  const findings = new Findings(limit);
  const database = await MetadataDatabase.at(folders.database);
  const names = await database.read((snapshot) =>
    checkDatabase(snapshot, findings, { pulse, depth, ...pass(options) }),
  );
  const find = (): Promise<FoundDisks> => findDisks(database, folders, { partial });
  const disks = await certainDisks(find, { findings, wait: () => pulse.wait(secondLookMs) });
  const groups = await database.read((snapshot) => groupsOf(snapshot, disks));
  const check = new GroupCheck(
    database,
    { disks, find: async () => (await find()).disks },
    { depth, partial, secondLookMs, limit, signal, pulse },
  );
  const affected = new AffectedChunks();
  pulse.begin("segments", groups.length);
  for (const group of groups) {
    affected.add(await check.check(group, findings));
    pulse.advance({ done: 1 });
  }
  pulse.begin("files", 0);
  const files =
    affected.count === 0 ? { files: [], count: 0 } : await database.read((it) => affected.files(it, limit, pulse));
  const { cluster, ...counted } = names;
  return {
    verdict: findings.worst === "note" ? "clean" : findings.worst,
    cluster,
    scope: { ...counted, groups: groups.length, disks: disks.length, records: check.records, depth },
    totals: findings.totals,
    findings: findings.kept,
    affected: files,
  };
}

/** A disk that is being added looks foreign or absent for a moment. */
async function certainDisks(
  find: () => Promise<FoundDisks>,
  { findings, wait }: { readonly findings: Findings; readonly wait: () => Promise<void> },
): Promise<readonly DiskFolder[]> {
  let found = await find();
  if (found.suspicions.length > 0) {
    await wait();
    found = await find();
  }
  for (const suspicion of found.suspicions) findings.add(suspicion);
  for (const disk of found.disks) await tellDropped(disk, findings);
  return found.disks;
}

function pass({ rowsPerPass }: FsckOptions): { readonly rowsPerPass: number | undefined } {
  return { rowsPerPass };
}

async function checkDatabase(
  snapshot: Snapshot,
  findings: Findings,
  { pulse, depth, rowsPerPass }: { pulse: Pulse; depth: Depth; rowsPerPass: number | undefined },
): Promise<Pick<FsckScope, "entries" | "versions" | "references" | "chunks"> & { cluster: string }> {
  const cluster = hasTable(snapshot, "cluster")
    ? snapshot.get<{ value: string }>("SELECT value FROM cluster WHERE name = 'id'")?.value
    : undefined;
  if (cluster === undefined) throw new FsckError("the file is no metadata database of Cairn");
  const pragma = depth === "hashes" ? "integrity_check" : "quick_check";
  for (const row of snapshot.rows<Record<string, string>>(`PRAGMA ${pragma}(20)`)) {
    const [words = ""] = Object.values(row);
    if (words !== "ok") findings.add({ kind: "database-unsound", message: `SQLite: ${words}` });
  }
  pulse.begin("names", Number(snapshot.get<{ n: number }>("SELECT COUNT(*) AS n FROM version")?.n ?? 0));
  const versions = await checkVersions(snapshot, findings, pulse);
  const entries = await checkTree(snapshot, findings, pulse);
  checkUsage(snapshot, findings);
  await checkStates(snapshot, findings, pulse);
  const { chunks, references } = await checkReferences(snapshot, findings, { pulse, rowsPerPass });
  return { cluster, entries, versions, chunks, references };
}

async function groupsOf(snapshot: Snapshot, disks: readonly DiskFolder[]): Promise<readonly number[]> {
  const known = snapshot.all<{ id: number }>("SELECT id FROM grp").map(({ id }) => id);
  const stored = (await Promise.all(disks.map(groupsOn))).flat();
  return [...new Set([...known, ...stored])].sort((a, b) => a - b);
}
