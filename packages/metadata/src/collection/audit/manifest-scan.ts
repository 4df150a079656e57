import type { Sql } from "@cairn/env";
import { limits, manifestEntryBytes, StorageError } from "@cairn/protocol";

/** Rows of each kind that are read in one statement; a row has up to 40 KiB. */
const rowsAtOnce = 64;

interface VersionRow {
  readonly id: Uint8Array;
  readonly chunks: number;
  readonly manifest: Uint8Array | null;
  readonly state: number;
  readonly cursor: number | null;
}

/**
 * All entries of manifests that hold a reference, on the caller's snapshot: of versions, from the cursor on where one is being
 * given back, and of the parts of uploads. Runs of encoded entries, in no order that matters. Throws corrupt when a manifest
 * is not as long as its row says: then nothing can be counted.
 */
export async function* manifestRuns(sql: Sql): AsyncGenerator<Uint8Array> {
  let after: Uint8Array = new Uint8Array(0);
  while (true) {
    const versions = await sql.all<VersionRow>(
      `SELECT version.id, version.chunks, version.manifest, version.state, doomed.cursor FROM version
       LEFT JOIN doomed ON doomed.version = version.id WHERE version.id > ? ORDER BY version.id LIMIT ${rowsAtOnce}`,
      after,
    );
    for (const version of versions) yield* runsOf(sql, version);
    const last = versions.at(-1);
    if (!last || versions.length < rowsAtOnce) break;
    after = last.id;
  }
  yield* partRuns(sql);
}

async function* runsOf(sql: Sql, version: VersionRow): AsyncGenerator<Uint8Array> {
  if ((version.state === 1) !== (version.cursor !== null))
    throw damaged("a version that is being given back lacks its cursor");
  let given = version.cursor ?? 0;
  let entries = 0;
  const rest = (data: Uint8Array): Uint8Array => {
    const count = entriesOf(data);
    const skipped = Math.min(count, given);
    given -= skipped;
    entries += count;
    return data.subarray(skipped * manifestEntryBytes);
  };
  if (version.manifest !== null) yield rest(version.manifest);
  else for await (const page of pagesOf(sql, version.id)) yield rest(page);
  if (entries !== version.chunks) throw damaged(`a manifest has ${entries} entries, and its version ${version.chunks}`);
}

async function* pagesOf(sql: Sql, version: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let from = 0; ; from += rowsAtOnce) {
    const pages = await sql.all<{ page: number; data: Uint8Array }>(
      `SELECT page, data FROM manifest_page WHERE version = ? AND page >= ? AND page < ? ORDER BY page`,
      version,
      from,
      from + rowsAtOnce,
    );
    for (const [index, { page, data }] of pages.entries()) {
      if (page !== from + index) throw damaged(`page ${from + index} of a manifest is missing`);
      yield data;
    }
    if (pages.length < rowsAtOnce) return;
  }
}

async function* partRuns(sql: Sql): AsyncGenerator<Uint8Array> {
  let upload: Uint8Array = new Uint8Array(0);
  let part = -1;
  while (true) {
    const parts = await sql.all<{ upload: Uint8Array; part: number; chunks: number; manifest: Uint8Array }>(
      `SELECT upload, part, chunks, manifest FROM upload_part WHERE upload > ? OR (upload = ? AND part > ?)
       ORDER BY upload, part LIMIT ${rowsAtOnce}`,
      upload,
      upload,
      part,
    );
    for (const row of parts) {
      if (entriesOf(row.manifest) !== row.chunks) throw damaged("a part of an upload is not as long as its row says");
      yield row.manifest;
    }
    const last = parts.at(-1);
    if (!last || parts.length < rowsAtOnce) return;
    ({ upload, part } = last);
  }
}

function entriesOf(data: Uint8Array): number {
  const entries = data.length / manifestEntryBytes;
  if (!Number.isInteger(entries) || entries > Math.max(limits.manifestPageEntriesMax, limits.commitEntriesMax)) {
    throw damaged(`a run of ${data.length} bytes is no manifest`);
  }
  return entries;
}

function damaged(why: string): StorageError {
  return new StorageError("corrupt", "count references", why, {
    hint: "The metadata database is damaged. Nothing was changed. Restore a backup.",
  });
}
