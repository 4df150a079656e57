import type { FindingKind, Findings } from "../findings.ts";
import type { Pulse } from "../pulse.ts";
import { hasTable, type Snapshot } from "./database.ts";
import { hexOf } from "./hash-column.ts";

/** A generation is lease × 2^24 + counter. */
export const generationsPerLease: number = 2 ** 24;
const chunkBytesMax = 4_194_304;

/** What may not stand in the rows of chunks, condemned writes, leases and groups, whatever their nodes hold. */
export async function checkStates(snapshot: Snapshot, findings: Findings, pulse: Pulse): Promise<void> {
  for (const [text, words] of contradictions(nextNumber(snapshot, "next_lease"))) {
    for (const row of snapshot.rows<{ what: string; id: Uint8Array | number | string }>(text)) {
      const id = row.id instanceof Uint8Array ? hexOf(row.id) : String(row.id);
      findings.add({ kind: "state-broken", message: `${row.what} ${id} ${words}`, details: { [row.what]: id } });
      await pulse.beat();
    }
  }
  waiting(snapshot, findings);
}

/** From which number on leases, groups or disks have not been given yet; Infinity when the cluster does not say. */
export function nextNumber(snapshot: Snapshot, name: "next_lease" | "next_group" | "next_disk"): number {
  const row = snapshot.get<{ value: string }>("SELECT value FROM cluster WHERE name = ?", name);
  return row ? Number(row.value) : Number.POSITIVE_INFINITY;
}

function contradictions(nextLease: number): readonly (readonly [text: string, words: string])[] {
  const generationEnd = Math.min(nextLease * generationsPerLease, Number.MAX_SAFE_INTEGER);
  return [
    [
      "SELECT 'chunk' AS what, c.hash AS id FROM chunk c LEFT JOIN grp g ON g.id = c.grp WHERE g.id IS NULL",
      "is in a group that is not there",
    ],
    [
      `SELECT 'chunk' AS what, hash AS id FROM chunk WHERE generation < ${generationsPerLease} OR generation >= ${generationEnd}`,
      "has a generation of a lease that was never given",
    ],
    [
      `SELECT 'chunk' AS what, hash AS id FROM chunk WHERE length(hash) <> 32 OR length < 1 OR length > ${chunkBytesMax} OR refs < 0 OR state NOT IN (0, 1, 2)`,
      "has a row that cannot be",
    ],
    ["SELECT 'chunk' AS what, hash AS id FROM chunk WHERE state = 1 AND refs > 0", "is condemned and has references"],
    [
      `SELECT 'chunk' AS what, c.hash AS id FROM chunk c
       LEFT JOIN condemned d ON d.hash = c.hash AND d.generation = c.generation WHERE c.state = 1 AND d.hash IS NULL`,
      "is condemned, and no condemned write says so",
    ],
    [
      `SELECT 'chunk' AS what, c.hash AS id FROM condemned d
       JOIN chunk c ON c.hash = d.hash AND c.generation = d.generation WHERE c.state <> 1`,
      "relies on a write that is condemned",
    ],
    [
      "SELECT 'chunk' AS what, hash AS id FROM chunk WHERE refs = 0 AND state = 0 AND zero_at IS NULL",
      "has no reference, and nothing says since when",
    ],
    [
      `SELECT 'lease' AS what, id FROM lease WHERE id >= ${Math.min(nextLease, Number.MAX_SAFE_INTEGER)} OR state NOT IN (0, 1)`,
      "was never given, or is in a state that cannot be",
    ],
    [
      "SELECT 'group' AS what, s.grp AS id FROM grp_slot s LEFT JOIN grp g ON g.id = s.grp WHERE g.id IS NULL",
      "has members and is not there",
    ],
    [
      "SELECT 'group' AS what, s.grp AS id FROM grp_slot s LEFT JOIN disk d ON d.id = s.disk WHERE d.id IS NULL",
      "has a member disk that is not there",
    ],
    [
      "SELECT 'group' AS what, grp AS id FROM grp_slot GROUP BY grp, disk HAVING COUNT(*) > 1",
      "has one disk in two places",
    ],
    [
      "SELECT 'disk' AS what, d.id FROM disk d LEFT JOIN node n ON n.name = d.node WHERE n.name IS NULL",
      "belongs to a node that is not there",
    ],
  ];
}

/** Work that is under way, which is no fault. */
function waiting(snapshot: Snapshot, findings: Findings): void {
  const works: readonly (readonly [kind: FindingKind, table: string, words: string])[] = [
    // What is lost keeps its row until it comes again; nobody works on it.
    ["repair-waits", "repair WHERE reason <> 'lost'", "chunks wait for copies to be made anew"],
    ["move-runs", "group_move", "groups get a copy on another disk"],
  ];
  for (const [kind, table, words] of works) {
    if (!hasTable(snapshot, table.split(" ")[0] ?? "")) continue;
    const count = Number(snapshot.get<{ n: number }>(`SELECT COUNT(*) AS n FROM ${table}`)?.n ?? 0);
    if (count > 0) findings.add({ kind, message: `${count} ${words}`, count });
  }
  const groups = snapshot.rows<{ id: number; copies: number }>(
    "SELECT id, copies FROM grp WHERE copies NOT IN (SELECT copies FROM drive)",
  );
  for (const { id, copies } of groups) {
    const message = `group ${id} keeps ${copies} copies, which no drive asks for now`;
    findings.add({ kind: "copies-differ", message, details: { group: id, copies } });
  }
}
