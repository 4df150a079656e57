import type { Findings } from "../findings.ts";
import type { Snapshot } from "./database.ts";

const columns = ["bytes", "files", "folders", "trashed", "versions"] as const;
type Counters = Record<(typeof columns)[number], number>;

/** Adds up what table `usage` counts, from the rows that it counts, and compares. */
export function checkUsage(snapshot: Snapshot, findings: Findings): void {
  const wanted = countAnew(snapshot);
  const sums = columns.map((column) => `SUM(${column}) AS ${column}`).join(", ");
  for (const row of snapshot.rows<Counters & { scope: string }>(`SELECT scope, ${sums} FROM usage GROUP BY scope`)) {
    compare(findings, row.scope, { kept: row, counted: wanted.get(row.scope) ?? zero() });
    wanted.delete(row.scope);
  }
  for (const [scope, counted] of wanted) compare(findings, scope, { kept: zero(), counted });
}

function countAnew(snapshot: Snapshot): Map<string, Counters> {
  const counted = new Map<string, Counters>();
  const add = (scope: string, counters: Partial<Counters>): void => {
    counted.set(scope, { ...(counted.get(scope) ?? zero()), ...counters });
  };
  const texts = [
    `SELECT lower(hex(e.drive)) AS scope, SUM(v.size) AS bytes, COUNT(*) AS versions
     FROM version v JOIN entry e ON e.id = v.entry GROUP BY e.drive`,
    `SELECT lower(hex(drive)) AS scope, SUM(kind = 0) AS files, SUM(kind = 1) AS folders, SUM(trashed_at IS NOT NULL) AS trashed
     FROM entry WHERE id NOT IN (SELECT root FROM drive) AND id NOT IN (SELECT trash FROM drive) GROUP BY drive`,
    "SELECT 'group:' || grp AS scope, COUNT(*) AS files, SUM(length) AS bytes FROM chunk WHERE refs > 0 GROUP BY grp",
  ];
  for (const text of texts) {
    for (const { scope, ...counters } of snapshot.rows<Partial<Counters> & { scope: string }>(text))
      add(scope, counters);
  }
  return counted;
}

function compare(findings: Findings, scope: string, { kept, counted }: { kept: Counters; counted: Counters }): void {
  const wrong = columns.filter((column) => kept[column] !== counted[column]);
  if (wrong.length === 0) return;
  const words = wrong.map((column) => `${column} ${kept[column]} instead of ${counted[column]}`);
  findings.add({
    kind: "usage-wrong",
    message: `usage of ${scope.startsWith("group:") ? scope.replace(":", " ") : `drive ${scope}`}: ${words.join(", ")}`,
    details: {
      scope,
      kept: Object.fromEntries(wrong.map((column) => [column, kept[column]])),
      counted: Object.fromEntries(wrong.map((column) => [column, counted[column]])),
    },
    bytes: Math.abs(kept.bytes - counted.bytes),
  });
}

function zero(): Counters {
  return { bytes: 0, files: 0, folders: 0, trashed: 0, versions: 0 };
}
