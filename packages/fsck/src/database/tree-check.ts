import type { Findings } from "../findings.ts";
import type { Pulse } from "../pulse.ts";
import type { Snapshot } from "./database.ts";
import { EntryPaths } from "./entry-paths.ts";
import { hexOf } from "./hash-column.ts";

interface Suspect {
  readonly id: Uint8Array;
  readonly why: string;
}

/** Every entry hangs below the root or the trash of its drive or is being removed, and repeats what its version says. */
export async function checkTree(snapshot: Snapshot, findings: Findings, pulse: Pulse): Promise<number> {
  const paths = new EntryPaths(snapshot);
  for (const { id, why } of hangingWrong(snapshot)) {
    findings.add({ kind: "tree-broken", message: `entry ${hexOf(id)}: ${why}`, details: { entry: hexOf(id) } });
    await pulse.beat();
  }
  for (const { id, why } of repeatingWrong(snapshot)) {
    // The versions of what is being removed go one by one, the entry last.
    if (paths.isBeingRemoved(id)) continue;
    findings.add({
      kind: "tree-broken",
      message: `${paths.pathOf(id)}: ${why}`,
      details: { entry: hexOf(id), path: paths.pathOf(id) },
    });
    await pulse.beat();
  }
  return Number(snapshot.get<{ n: number }>("SELECT COUNT(*) AS n FROM entry")?.n ?? 0);
}

function* hangingWrong(snapshot: Snapshot): Generator<Suspect> {
  const places: readonly (readonly [text: string, why: string])[] = [
    [
      "SELECT e.id FROM entry e LEFT JOIN entry p ON p.id = e.parent WHERE e.parent IS NOT NULL AND p.id IS NULL",
      "its parent is not there",
    ],
    ["SELECT e.id FROM entry e JOIN entry p ON p.id = e.parent WHERE p.kind <> 1", "its parent is not a folder"],
    [
      "SELECT e.id FROM entry e JOIN entry p ON p.id = e.parent WHERE p.drive <> e.drive",
      "its parent is in another drive",
    ],
    ["SELECT e.id FROM entry e LEFT JOIN drive d ON d.id = e.drive WHERE d.id IS NULL", "its drive is not there"],
    [
      `SELECT e.id FROM entry e WHERE e.parent IS NULL AND e.id NOT IN (SELECT entry FROM detached)
       AND e.id NOT IN (SELECT root FROM drive) AND e.id NOT IN (SELECT trash FROM drive)`,
      "nothing leads to it, and it is not being removed",
    ],
    [
      "SELECT d.entry AS id FROM detached d LEFT JOIN entry e ON e.id = d.entry WHERE e.id IS NULL",
      "it is being removed and not there",
    ],
    [
      "SELECT d.entry AS id FROM detached d JOIN entry e ON e.id = d.entry WHERE e.parent IS NOT NULL",
      "it is being removed and still in the tree",
    ],
    [
      "SELECT d.root AS id FROM drive d LEFT JOIN entry e ON e.id = d.root WHERE e.id IS NULL OR e.parent IS NOT NULL OR e.kind <> 1",
      "the root of a drive is no root",
    ],
    [
      "SELECT d.trash AS id FROM drive d LEFT JOIN entry e ON e.id = d.trash WHERE e.id IS NULL OR e.parent IS NOT NULL OR e.kind <> 1",
      "the trash of a drive is no root",
    ],
    [
      // What has a parent and is not reached from an entry without one hangs in a circle.
      `WITH RECURSIVE reached(id) AS (
         SELECT id FROM entry WHERE parent IS NULL AND kind = 1
         UNION ALL SELECT e.id FROM reached r JOIN entry e ON e.parent = r.id WHERE e.kind = 1)
       SELECT e.id FROM entry e WHERE e.kind = 1 AND e.id NOT IN (SELECT id FROM reached)
       AND EXISTS (SELECT 1 FROM entry p WHERE p.id = e.parent)`,
      "no root leads to it: folders hang below one another in a circle, or below one that is not there",
    ],
  ];
  for (const [text, why] of places) {
    for (const { id } of snapshot.rows<{ id: Uint8Array }>(text)) yield { id, why };
  }
}

function* repeatingWrong(snapshot: Snapshot): Generator<Suspect> {
  const places: readonly (readonly [text: string, why: string])[] = [
    [
      `SELECT e.id FROM entry e LEFT JOIN version v ON v.id = e.current_version
       WHERE e.kind = 0 AND (v.id IS NULL OR v.entry <> e.id)`,
      "its current version is not there",
    ],
    [
      "SELECT e.id FROM entry e JOIN version v ON v.id = e.current_version WHERE v.state <> 0",
      "its current version is being removed",
    ],
    [
      `SELECT e.id FROM entry e JOIN version v ON v.id = e.current_version
       WHERE e.size <> v.size OR e.chunks <> v.chunks OR e.etag IS NOT v.etag`,
      "its size, chunks or etag are not those of its current version",
    ],
    [
      `SELECT e.id FROM entry e JOIN version v ON v.id = e.current_version
       WHERE v.sequence < (SELECT MAX(w.sequence) FROM version w WHERE w.entry = e.id)`,
      "a newer version than its current one is there",
    ],
  ];
  for (const [text, why] of places) {
    for (const { id } of snapshot.rows<{ id: Uint8Array }>(text)) yield { id, why };
  }
}
