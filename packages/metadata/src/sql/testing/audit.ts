import type { Sql, SqlDatabase } from "@cairn/env";
import { decodeManifest, type ManifestEntry, toHex } from "@cairn/protocol";
import { expect } from "vitest";

/**
 * Counts everything anew from the rows that matter and compares it with what is kept beside them: references, usage, the
 * counters of groups, where manifests say that chunks are, and that nothing hangs in the air.
 */
export async function audit(database: SqlDatabase): Promise<void> {
  await database.read(async (sql) => {
    await auditReferences(sql);
    await auditUsage(sql);
    await auditTree(sql);
  });
}

async function auditReferences(sql: Sql): Promise<void> {
  const references = new Map<string, number>();
  for (const entry of await allManifestEntries(sql)) references.set(entry.id, (references.get(entry.id) ?? 0) + 1);
  const rows = await sql.all<{
    hash: Uint8Array;
    refs: number;
    state: number;
    zero_at: number | null;
    grp: number;
    length: number;
  }>("SELECT hash, refs, state, zero_at, grp, length FROM chunk");
  const kept = new Map(rows.filter((row) => row.refs > 0).map((row) => [toHex(row.hash), row.refs]));
  expect(kept, "references of chunks").toEqual(references);
  for (const row of rows) {
    if (row.refs === 0) expect(row.zero_at, "an unused chunk knows since when").not.toBeNull();
    if (row.refs === 0) continue;
    expect(row.state, "a chunk that is needed is live").toBe(0);
    expect(row.zero_at, "a chunk that is needed was not left unused").toBeNull();
  }
  const groups = new Map<string, { chunks: number; bytes: number }>();
  for (const row of rows.filter((candidate) => candidate.refs > 0)) {
    const group = groups.get(`group:${row.grp}`) ?? { chunks: 0, bytes: 0 };
    groups.set(`group:${row.grp}`, { chunks: group.chunks + 1, bytes: group.bytes + row.length });
  }
  const counted = await sql.all<{ scope: string; bytes: number; files: number }>(
    "SELECT scope, SUM(bytes) AS bytes, SUM(files) AS files FROM usage WHERE scope LIKE 'group:%' GROUP BY scope",
  );
  const counters = counted
    .filter((row) => row.files !== 0 || row.bytes !== 0)
    .map((row) => [row.scope, { chunks: row.files, bytes: row.bytes }] as const);
  expect(new Map(counters), "counters of groups").toEqual(groups);
}

async function allManifestEntries(sql: Sql): Promise<ManifestEntry[]> {
  const entries: ManifestEntry[] = [];
  const versions = await sql.all<{
    id: Uint8Array;
    state: number;
    size: number;
    chunks: number;
    manifest: Uint8Array | null;
  }>("SELECT id, state, size, chunks, manifest FROM version");
  for (const version of versions) {
    const pages = await sql.all<{ data: Uint8Array; first_chunk: number; first_byte: number }>(
      "SELECT data, first_chunk, first_byte FROM manifest_page WHERE version = ? ORDER BY page",
      version.id,
    );
    const manifest: ManifestEntry[] = version.manifest ? decodeManifest(version.manifest) : [];
    for (const page of pages) {
      expect(page.first_chunk).toBe(manifest.length);
      expect(page.first_byte).toBe(manifest.reduce((sum, entry) => sum + entry.length, 0));
      manifest.push(...decodeManifest(page.data));
    }
    expect(manifest.length, "chunks of a version").toBe(version.chunks);
    expect(
      manifest.reduce((sum, entry) => sum + entry.length, 0),
      "size of a version",
    ).toBe(version.size);
    const doomed = await sql.get<{ cursor: number }>("SELECT cursor FROM doomed WHERE version = ?", version.id);
    expect(doomed !== undefined, "a doomed version has a cursor").toBe(version.state === 1);
    entries.push(...manifest.slice(doomed?.cursor ?? 0));
  }
  for (const part of await sql.all<{ manifest: Uint8Array; chunks: number }>(
    "SELECT manifest, chunks FROM upload_part",
  )) {
    const manifest = decodeManifest(part.manifest);
    expect(manifest.length).toBe(part.chunks);
    entries.push(...manifest);
  }
  return entries;
}

async function auditUsage(sql: Sql): Promise<void> {
  const drives = await sql.all<{ id: Uint8Array }>("SELECT id FROM drive");
  for (const drive of drives) {
    const counted = await sql.get(
      `SELECT SUM(bytes) AS bytes, SUM(files) AS files, SUM(folders) AS folders, SUM(trashed) AS trashed,
       SUM(versions) AS versions FROM usage WHERE scope = ?`,
      toHex(drive.id),
    );
    const recounted = await sql.get(
      `SELECT (SELECT COALESCE(SUM(version.size), 0) FROM version) AS bytes,
       (SELECT COUNT(*) FROM entry WHERE kind = 0) AS files,
       (SELECT COUNT(*) - 2 FROM entry WHERE kind = 1) AS folders,
       (SELECT COUNT(*) FROM entry WHERE trashed_at IS NOT NULL) AS trashed,
       (SELECT COUNT(*) FROM version) AS versions`,
    );
    expect({ ...counted }, "usage").toEqual({ ...recounted });
  }
}

/** Every entry hangs below the root or the trash, or is detached; files show what their current version has. */
async function auditTree(sql: Sql): Promise<void> {
  const loose = await sql.all(
    `SELECT id FROM entry WHERE parent IS NULL AND id NOT IN (SELECT root FROM drive) AND id NOT IN (SELECT trash FROM drive)
     AND id NOT IN (SELECT entry FROM detached)`,
  );
  expect(loose, "entries without a parent").toEqual([]);
  const wrong = await sql.all(
    `SELECT entry.id FROM entry LEFT JOIN version ON version.id = entry.current_version
     WHERE entry.kind = 0 AND version.state = 0 AND (version.size <> entry.size OR version.chunks <> entry.chunks
       OR version.etag <> entry.etag OR version.entry <> entry.id)`,
  );
  expect(wrong, "files that do not show their current version").toEqual([]);
  const strays = await sql.all(
    `SELECT id FROM entry WHERE trashed_at IS NOT NULL AND (parent IS NULL OR parent NOT IN (SELECT trash FROM drive))`,
  );
  expect(strays, "trashed entries outside of the trash").toEqual([]);
}
