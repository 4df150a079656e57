import { join } from "node:path";
import type { Snapshot } from "./database/database.ts";
import type { Findings } from "./findings.ts";
import { bytesBelow, type DiskFolder, namesIn, openDiskFolder } from "./segments/disk-folder.ts";

interface DiskRow {
  readonly id: number;
  readonly uuid: string;
  readonly node: string;
  readonly groups: number;
}

/** Opens the named disks and tells which of them are those that the database knows. Only these are looked into. */
export async function findDisks(
  snapshot: Snapshot,
  folders: readonly string[],
  { findings, partial }: { readonly findings: Findings; readonly partial: boolean },
): Promise<readonly DiskFolder[]> {
  const cluster = snapshot.get<{ value: string }>("SELECT value FROM cluster WHERE name = 'id'")?.value;
  const rows = snapshot.all<DiskRow>(
    `SELECT d.id, d.uuid, d.node, (SELECT COUNT(*) FROM grp_slot s WHERE s.disk = d.id) AS groups FROM disk d ORDER BY d.id`,
  );
  const found: DiskFolder[] = [];
  const foreign = (folder: string, why: string): void =>
    findings.add({ kind: "disk-foreign", message: `${folder}: ${why}`, details: { folder } });
  for (const folder of folders) {
    const disk = await openDiskFolder(folder);
    const row = "why" in disk ? undefined : rows.find(({ uuid }) => uuid === disk.uuid);
    const twin = found.find((other) => !("why" in disk) && other.uuid === disk.uuid);
    if ("why" in disk) foreign(folder, disk.why);
    else if (disk.cluster !== cluster) foreign(folder, `it belongs to cluster ${disk.cluster}`);
    else if (!row) foreign(folder, `the database knows no disk with its UUID ${disk.uuid}`);
    else if (row.id !== disk.disk || row.node !== disk.node) {
      foreign(
        folder,
        `it says that it is disk ${disk.disk} of ${disk.node}, the database says ${row.id} of ${row.node}`,
      );
    } else if (twin) foreign(folder, `it is a copy of ${twin.folder}: both are disk ${disk.disk}`);
    else found.push(disk);
  }
  tellUnseen(rows, found, { findings, partial });
  for (const disk of found) await tellDropped(disk, findings);
  return found;
}

function tellUnseen(
  rows: readonly DiskRow[],
  found: readonly DiskFolder[],
  { findings, partial }: { readonly findings: Findings; readonly partial: boolean },
): void {
  for (const { id, node, groups } of rows) {
    if (groups === 0 || found.some(({ disk }) => disk === id)) continue;
    findings.add({
      kind: partial ? "disk-unseen" : "disk-absent",
      message: partial
        ? `disk ${id} of ${node} was not named: its ${groups} groups are taken to be good`
        : `disk ${id} of ${node} is not there: it should hold ${groups} groups`,
      details: { disk: id, node, groups },
    });
  }
}

/** Groups whose drop was ordered lie in the disk's trash for a while. */
async function tellDropped(disk: DiskFolder, findings: Findings): Promise<void> {
  const trash = join(disk.folder, "trash");
  const count = (await namesIn(trash)).length;
  if (count === 0) return;
  const message = `disk ${disk.disk} (${disk.node}): ${count} dropped groups wait for their end`;
  findings.add({ kind: "dropped-group", message, count, bytes: await bytesBelow(trash), details: { disk: disk.disk } });
}
