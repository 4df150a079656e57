import type { Sql, SqlDatabase } from "@cairn/env";
import { decodeManifest, type ManifestEntry, toHex } from "@cairn/protocol";

/**
 * Counts everything anew from the rows that matter and answers what disagrees with the counters that are kept beside them,
 * one sentence each: references of chunks, usage of the drive, counters of groups, the tree.
 */
export function databaseFindings(database: SqlDatabase): Promise<readonly string[]> {
  return database.read(async (sql) => [
    ...(await referenceFindings(sql)),
    ...(await usageFindings(sql)),
    ...(await treeFindings(sql)),
  ]);
}

async function referenceFindings(sql: Sql): Promise<string[]> {
  const findings: string[] = [];
  const wanted = new Map<string, number>();
  for (const entry of await referencesOf(sql, findings)) wanted.set(entry.id, (wanted.get(entry.id) ?? 0) + 1);
  const rows = await sql.all<{ hash: Uint8Array; refs: number; state: number; grp: number; length: number }>(
    "SELECT hash, refs, state, grp, length FROM chunk",
  );
  const groups = new Map<string, { chunks: number; bytes: number }>();
  const known = new Set<string>();
  for (const row of rows) {
    const id = toHex(row.hash);
    known.add(id);
    const count = wanted.get(id) ?? 0;
    if (row.refs !== count)
      findings.push(`chunk ${id.slice(0, 8)} has ${row.refs} references, manifests name it ${count} times`);
    if (row.refs > 0 && row.state !== 0) findings.push(`chunk ${id.slice(0, 8)} is needed and has state ${row.state}`);
    if (row.refs === 0) continue;
    const scope = `group:${row.grp}`;
    const group = groups.get(scope) ?? { chunks: 0, bytes: 0 };
    groups.set(scope, { chunks: group.chunks + 1, bytes: group.bytes + row.length });
  }
  for (const id of wanted.keys()) if (!known.has(id)) findings.push(`chunk ${id.slice(0, 8)} is needed and has no row`);
  return [...findings, ...(await groupFindings(sql, groups))];
}

async function groupFindings(sql: Sql, groups: Map<string, { chunks: number; bytes: number }>): Promise<string[]> {
  const counters = await sql.all<{ scope: string; bytes: number; files: number }>(
    "SELECT scope, SUM(bytes) AS bytes, SUM(files) AS files FROM usage WHERE scope LIKE 'group:%' GROUP BY scope",
  );
  const counted = new Map(counters.map((row) => [row.scope, row]));
  return [...new Set([...groups.keys(), ...counted.keys()])].flatMap((scope) => {
    const { chunks, bytes } = groups.get(scope) ?? { chunks: 0, bytes: 0 };
    const row = counted.get(scope);
    const same = (row?.files ?? 0) === chunks && (row?.bytes ?? 0) === bytes;
    return same ? [] : [`${scope} counts ${row?.files} chunks and ${row?.bytes} bytes; it has ${chunks} and ${bytes}`];
  });
}

async function referencesOf(sql: Sql, findings: string[]): Promise<ManifestEntry[]> {
  const entries: ManifestEntry[] = [];
  const versions = await sql.all<{
    id: Uint8Array;
    size: number;
    chunks: number;
    manifest: Uint8Array | null;
    cursor: number | null;
  }>(
    "SELECT version.id, size, chunks, manifest, doomed.cursor FROM version LEFT JOIN doomed ON doomed.version = version.id",
  );
  for (const version of versions) {
    const manifest: ManifestEntry[] = version.manifest ? decodeManifest(version.manifest) : [];
    const pages = await sql.all<{ data: Uint8Array }>(
      "SELECT data FROM manifest_page WHERE version = ? ORDER BY page",
      version.id,
    );
    for (const page of pages) manifest.push(...decodeManifest(page.data));
    const size = manifest.reduce((sum, entry) => sum + entry.length, 0);
    if (manifest.length !== version.chunks || size !== version.size) {
      findings.push(`version ${toHex(version.id)} says ${version.size} bytes, its manifest ${size}`);
    }
    entries.push(...manifest.slice(version.cursor ?? 0));
  }
  const parts = await sql.all<{ manifest: Uint8Array }>("SELECT manifest FROM upload_part");
  return [...entries, ...parts.flatMap((part) => decodeManifest(part.manifest))];
}

async function usageFindings(sql: Sql): Promise<string[]> {
  const drives = await sql.all<{ id: Uint8Array }>("SELECT id FROM drive");
  const findings: string[] = [];
  for (const drive of drives) {
    const counted = await sql.get(
      `SELECT SUM(bytes) AS bytes, SUM(files) AS files, SUM(folders) AS folders, SUM(trashed) AS trashed,
       SUM(versions) AS versions FROM usage WHERE scope = ?`,
      toHex(drive.id),
    );
    const anew = await sql.get(
      `SELECT (SELECT COALESCE(SUM(size), 0) FROM version) AS bytes,
       (SELECT COUNT(*) FROM entry WHERE kind = 0) AS files,
       (SELECT COUNT(*) - 2 FROM entry WHERE kind = 1) AS folders,
       (SELECT COUNT(*) FROM entry WHERE trashed_at IS NOT NULL) AS trashed,
       (SELECT COUNT(*) FROM version) AS versions`,
    );
    if (JSON.stringify(counted) !== JSON.stringify(anew)) {
      findings.push(`usage says ${JSON.stringify(counted)}, and there is ${JSON.stringify(anew)}`);
    }
  }
  return findings;
}

async function treeFindings(sql: Sql): Promise<string[]> {
  const loose = await sql.get<{ count: number }>(
    `SELECT COUNT(*) AS count FROM entry WHERE parent IS NULL AND id NOT IN (SELECT root FROM drive)
     AND id NOT IN (SELECT trash FROM drive) AND id NOT IN (SELECT entry FROM detached)`,
  );
  const wrong = await sql.get<{ count: number }>(
    `SELECT COUNT(*) AS count FROM entry LEFT JOIN version ON version.id = entry.current_version
     WHERE entry.kind = 0 AND version.state = 0 AND (version.size <> entry.size OR version.etag <> entry.etag)`,
  );
  return [
    ...(loose?.count ? [`${loose.count} entries hang nowhere`] : []),
    ...(wrong?.count ? [`${wrong.count} files do not show their current version`] : []),
  ];
}
