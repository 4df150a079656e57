import type { Sql, SqlDatabase } from "@cairn/env";
import { chunkIdFromHash, fromUtf8, manifestEntryBytes } from "@cairn/protocol";

const rowsPerLook = 200;
const depthMax = 1000;

interface ManifestRow {
  readonly version: Uint8Array;
  readonly page: number;
  readonly entry: Uint8Array;
  readonly manifest: Uint8Array;
}

/**
 * Paths of files with a version that needs one of these chunks, at most `limit`. Reads all manifests, page by page: for
 * the rare day on which chunks are lost.
 */
export async function filesOfChunks(
  database: SqlDatabase,
  hashes: readonly Uint8Array[],
  options: { readonly limit: number; readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const wanted = new Set<string>(hashes.map(chunkIdFromHash));
  const found = new Map<string, string>();
  for (const pages of [inlineManifests, pagedManifests]) {
    let after: ManifestRow | undefined;
    while (found.size < options.limit && !options.signal.aborted) {
      const last = after;
      const rows = await database.read((sql) => pages(sql, last));
      for (const { entry, manifest } of rows) {
        const key = entry.join(" ");
        if (found.size >= options.limit || found.has(key) || !names(manifest, wanted)) continue;
        found.set(key, await database.read((sql) => pathOf(sql, entry)));
      }
      after = rows.at(-1);
      if (!after) break;
    }
  }
  return [...found.values()].sort();
}

function inlineManifests(sql: Sql, after: ManifestRow | undefined): Promise<ManifestRow[]> {
  return sql.all<ManifestRow>(
    `SELECT id AS version, 0 AS page, entry, manifest FROM version WHERE id > ? AND manifest IS NOT NULL
     ORDER BY id LIMIT ${rowsPerLook}`,
    after?.version ?? new Uint8Array(0),
  );
}

function pagedManifests(sql: Sql, after: ManifestRow | undefined): Promise<ManifestRow[]> {
  return sql.all<ManifestRow>(
    `SELECT manifest_page.version, manifest_page.page, version.entry, manifest_page.data AS manifest
     FROM manifest_page JOIN version ON version.id = manifest_page.version
     WHERE (manifest_page.version, manifest_page.page) > (?, ?)
     ORDER BY manifest_page.version, manifest_page.page LIMIT ${rowsPerLook}`,
    after?.version ?? new Uint8Array(0),
    after?.page ?? -1,
  );
}

function names(manifest: Uint8Array, wanted: ReadonlySet<string>): boolean {
  for (let at = 0; at + manifestEntryBytes <= manifest.length; at += manifestEntryBytes) {
    if (wanted.has(chunkIdFromHash(manifest.subarray(at, at + 32)))) return true;
  }
  return false;
}

/** Names from the root on; of an entry in the trash the name that it had. */
async function pathOf(sql: Sql, entry: Uint8Array): Promise<string> {
  const parts: string[] = [];
  let id: Uint8Array | null = entry;
  for (let depth = 0; id && depth < depthMax; depth++) {
    const row: { parent: Uint8Array | null; sort_name: Uint8Array; original_name: Uint8Array | null } | undefined =
      await sql.get("SELECT parent, sort_name, original_name FROM entry WHERE id = ?", id);
    // A root has no name of its own.
    if (!row?.parent) break;
    parts.unshift(fromUtf8(row.original_name ?? row.sort_name).replace(/\/$/, ""));
    id = row.parent;
  }
  return parts.join("/");
}
