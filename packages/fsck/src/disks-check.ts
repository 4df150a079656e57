import { join } from "node:path";
import type { ClusterFolders } from "./cluster-folders.ts";
import type { MetadataDatabase, Snapshot } from "./database/database.ts";
import type { Findings, Suspicion } from "./findings.ts";
import { bytesBelow, type DiskFolder, type NoDisk, namesIn, openDiskFolder } from "./segments/disk-folder.ts";

interface DiskRow {
  readonly id: number;
  readonly uuid: string;
  readonly node: string;
  readonly groups: number;
}

/** The disks that are those which the database knows, and what is wrong with the others. */
export interface FoundDisks {
  readonly disks: readonly DiskFolder[];
  readonly suspicions: readonly Suspicion[];
}

/** Opens the named disks and tells which of them are those that the database knows. Only these are looked into. */
export async function findDisks(
  database: MetadataDatabase,
  { disks: folders }: ClusterFolders,
  { partial }: { readonly partial: boolean },
): Promise<FoundDisks> {
  const names = typeof folders === "function" ? await folders() : folders;
  // The folders first: a disk is in the database before its folder says that it is one.
  const opened = await Promise.all(names.map(openDiskFolder));
  return await database.read((snapshot) => judgeDisks(snapshot, opened, partial));
}

function judgeDisks(snapshot: Snapshot, opened: readonly (DiskFolder | NoDisk)[], partial: boolean): FoundDisks {
  const cluster = snapshot.get<{ value: string }>("SELECT value FROM cluster WHERE name = 'id'")?.value;
  const rows = snapshot.all<DiskRow>(
    `SELECT d.id, d.uuid, d.node, (SELECT COUNT(*) FROM grp_slot s WHERE s.disk = d.id) AS groups FROM disk d ORDER BY d.id`,
  );
  const disks: DiskFolder[] = [];
  const suspicions: Suspicion[] = [];
  for (const disk of opened) {
    const why = "why" in disk ? disk.why : foreignBecause(disk, { cluster, rows, disks });
    if (why === undefined) disks.push(disk as DiskFolder);
    else suspicions.push({ kind: "disk-foreign", message: `${disk.folder}: ${why}`, details: { folder: disk.folder } });
  }
  return { disks, suspicions: [...suspicions, ...unseen(rows, disks, partial)] };
}

function foreignBecause(
  disk: DiskFolder,
  known: {
    readonly cluster: string | undefined;
    readonly rows: readonly DiskRow[];
    readonly disks: readonly DiskFolder[];
  },
): string | undefined {
  if (disk.cluster !== known.cluster) return `it belongs to cluster ${disk.cluster}`;
  const row = known.rows.find(({ uuid }) => uuid === disk.uuid);
  if (!row) return `the database knows no disk with its UUID ${disk.uuid}`;
  if (row.id !== disk.disk || row.node !== disk.node) {
    return `it says that it is disk ${disk.disk} of ${disk.node}, the database says ${row.id} of ${row.node}`;
  }
  const twin = known.disks.find(({ uuid }) => uuid === disk.uuid);
  return twin ? `it is a copy of ${twin.folder}: both are disk ${disk.disk}` : undefined;
}

function unseen(rows: readonly DiskRow[], disks: readonly DiskFolder[], partial: boolean): readonly Suspicion[] {
  return rows
    .filter(({ id, groups }) => groups > 0 && !disks.some(({ disk }) => disk === id))
    .map(({ id, node, groups }) => ({
      kind: partial ? "disk-unseen" : "disk-absent",
      message: partial
        ? `disk ${id} of ${node} was not named: its ${groups} groups are taken to be good`
        : `disk ${id} of ${node} is not there: it should hold ${groups} groups`,
      details: { disk: id, node, groups },
    }));
}

/** Groups whose drop was ordered lie in the disk's trash for a while. */
export async function tellDropped(disk: DiskFolder, findings: Findings): Promise<void> {
  const trash = join(disk.folder, "trash");
  const count = (await namesIn(trash)).length;
  if (count === 0) return;
  const message = `disk ${disk.disk} (${disk.node}): ${count} dropped groups wait for their end`;
  findings.add({ kind: "dropped-group", message, count, bytes: await bytesBelow(trash), details: { disk: disk.disk } });
}
