import type { Sql } from "@cairn/env";
import {
  bytesOfId,
  compareBytes,
  concatBytes,
  type DriveId,
  fromUtf8,
  idFromBytes,
  type ListedVersion,
  limits,
  type ObjectAttributes,
  type ObjectVersionPage,
  type ObjectVersionsRequest,
  objectTag,
  StorageError,
  utf8,
  type VersionId,
} from "@cairn/protocol";
import type { DriveRecord } from "../namespace/drive-table.ts";
import { type EntryRow, fileKind, spellEtag } from "../namespace/entry-row.ts";
import { findKey } from "../namespace/object-lookup.ts";
import type { Tree } from "../namespace/tree.ts";
import { readTree, type Store } from "../sql/store.ts";
import { behind, commonPrefix, pageOfObjects, startOf, withZero } from "./object-listing.ts";
import { markerOf, trashedAtKey, versionAtKey } from "./version-lookup.ts";

/** A key, or keys that share their beginning. */
interface Item {
  readonly text: string;
  readonly isPrefix: boolean;
}

interface VersionRow {
  readonly id: Uint8Array;
  readonly sequence: number;
  readonly size: number;
  readonly chunks: number;
  readonly etag: Uint8Array;
  readonly modified_at: number;
  readonly meta: string | null;
  readonly unversioned: number;
}

const slashBytes = utf8("/");

/** Versions of a drive's objects, and of files in its trash by where they lay. Throws invalid. */
export function listObjectVersions(
  store: Store,
  id: DriveId,
  request: ObjectVersionsRequest,
): Promise<ObjectVersionPage> {
  const { size } = request;
  if (!Number.isSafeInteger(size) || size < 1 || size > limits.pageSizeMax) {
    throw new StorageError("invalid", "list versions", `${size} versions`, {
      hint: `1–${limits.pageSizeMax} in a page.`,
    });
  }
  return readTree(store, async (tree, sql) =>
    new VersionListing(tree, await store.drives.byId(sql, id), request).page(),
  );
}

/** One page in the making: the keys of two lists that are merged, and the versions of each. */
class VersionListing {
  readonly #tree: Tree;
  readonly #drive: DriveRecord;
  readonly #request: ObjectVersionsRequest;
  readonly #versions: ListedVersion[] = [];
  readonly #prefixes: string[] = [];
  #last: { readonly after: string; readonly afterVersion: VersionId | undefined } | undefined;

  constructor(tree: Tree, drive: DriveRecord, request: ObjectVersionsRequest) {
    this.#tree = tree;
    this.#drive = drive;
    this.#request = request;
  }

  async page(): Promise<ObjectVersionPage> {
    const { after, afterVersion } = this.#request;
    if (afterVersion !== undefined && !(await this.#restOf(after, afterVersion))) return this.#result(true);
    // One more than there is room for: it says whether anything follows.
    for (const { text, isPrefix } of await this.#items(this.#room + 1)) {
      if (this.#room === 0) return this.#result(true);
      if (isPrefix) {
        this.#prefixes.push(text);
        this.#last = { after: text, afterVersion: undefined };
      } else if (!(await this.#versionsOf(text))) return this.#result(true);
    }
    return this.#result(false);
  }

  get #room(): number {
    return this.#request.size - this.#versions.length - this.#prefixes.length;
  }

  #result(more: boolean): ObjectVersionPage {
    return { versions: this.#versions, prefixes: this.#prefixes, next: more ? this.#last : undefined };
  }

  /** The first keys and common prefixes of objects and of what lies in the trash, merged. */
  async #items(count: number): Promise<Item[]> {
    const { prefix, delimiter, after } = this.#request;
    const size = Math.min(count, limits.pageSizeMax);
    const page = await pageOfObjects(this.#tree.sql, this.#drive, { prefix, delimiter, after, size });
    const items = new Map<string, Item & { readonly bytes: Uint8Array }>();
    const add = (text: string, isPrefix: boolean): void => {
      items.set(text, { text, isPrefix, bytes: utf8(text) });
    };
    for (const { key } of page.objects) add(key, false);
    for (const text of page.prefixes) add(text, true);
    for (const { text, isPrefix } of await this.#trashedItems(size)) add(text, isPrefix);
    return [...items.values()].sort((a, b) => compareBytes(a.bytes, b.bytes)).slice(0, count);
  }

  async #trashedItems(count: number): Promise<Item[]> {
    const { prefix, delimiter } = this.#request;
    const items: Item[] = [];
    const to = behind(utf8(`/${prefix}`));
    for (let from = concatBytes([slashBytes, startOf(this.#request)]); items.length < count; ) {
      const row = await this.#tree.sql.get<{ path: Uint8Array }>(
        `SELECT original_path AS path FROM entry WHERE drive = ? AND original_path >= ? AND original_path < ?
         AND trashed_at IS NOT NULL AND kind = ${fileKind} ORDER BY original_path LIMIT 1`,
        this.#drive.idBytes,
        from,
        to,
      );
      if (!row) break;
      const key = fromUtf8(row.path.subarray(1));
      const common = delimiter === "" ? undefined : commonPrefix(key, prefix, delimiter);
      items.push({ text: common ?? key, isPrefix: common !== undefined });
      from = common === undefined ? withZero(row.path) : behind(utf8(`/${common}`));
    }
    return items;
  }

  /** All versions of a key, the newest first; false when there was no room for all of them. */
  async #versionsOf(key: string): Promise<boolean> {
    const { file } = await findKey(this.#tree, this.#drive, key);
    if (file && !(await this.#versionsOfFile(key, file))) return false;
    return await this.#trashedOf(key, await trashedAtKey(this.#tree.sql, this.#drive, key, this.#room + 1));
  }

  /** What is older than one version of a key. A version that went meanwhile: all of the key, rather twice than never. */
  async #restOf(key: string, version: VersionId): Promise<boolean> {
    const found = await versionAtKey(this.#tree, this.#drive, { key, version });
    if (!found) return await this.#versionsOf(key);
    const { file } = found;
    const { sql } = this.#tree;
    const row = found.marker
      ? undefined
      : await sql.get<{ sequence: number }>("SELECT sequence FROM version WHERE id = ?", bytesOfId(version));
    if (!(await this.#versionsOfFile(key, file, { below: row?.sequence, isFirst: false }))) return false;
    const trashed = await trashedAtKey(sql, this.#drive, key, limits.pageSizeMax);
    const at = trashed.findIndex(({ id }) => compareBytes(id, file.id) === 0);
    return await this.#trashedOf(key, trashed.slice(at + 1), false);
  }

  async #trashedOf(key: string, files: readonly EntryRow[], mayBeFirst = true): Promise<boolean> {
    for (const file of files) {
      if (this.#room === 0) return false;
      const latest = mayBeFirst && this.#versions.at(-1)?.key !== key;
      this.#add({
        ...{ key, version: markerOf(file), marker: true, unversioned: false, latest },
        ...{ size: 0, modifiedAt: file.trashed_at ?? 0, tag: "" },
      });
      if (!(await this.#versionsOfFile(key, file, { isFirst: false }))) return false;
    }
    return true;
  }

  async #versionsOfFile(
    key: string,
    file: EntryRow,
    { below, isFirst = true }: { readonly below?: number | undefined; readonly isFirst?: boolean } = {},
  ): Promise<boolean> {
    const rows = await versionRows(this.#tree.sql, file, { below, limit: this.#room + 1 });
    for (const [index, row] of rows.entries()) {
      if (this.#room === 0) return false;
      const attributes = row.meta === null ? undefined : (JSON.parse(row.meta) as ObjectAttributes);
      this.#add({
        ...{ key, version: idFromBytes("v_", row.id), marker: false, unversioned: row.unversioned === 1 },
        ...{ latest: isFirst && index === 0, size: row.size, modifiedAt: row.modified_at },
        tag: objectTag({ tag: attributes?.tag, etag: spellEtag(row.etag), chunks: row.chunks }),
      });
    }
    return true;
  }

  #add(version: ListedVersion): void {
    this.#versions.push(version);
    this.#last = { after: version.key, afterVersion: version.version };
  }
}

function versionRows(
  sql: Sql,
  file: EntryRow,
  { below, limit }: { readonly below: number | undefined; readonly limit: number },
): Promise<VersionRow[]> {
  return sql.all<VersionRow>(
    `SELECT id, sequence, size, chunks, etag, modified_at, meta, unversioned FROM version
     WHERE entry = ? AND state = 0 AND sequence < ? ORDER BY sequence DESC LIMIT ?`,
    file.id,
    below ?? Number.MAX_SAFE_INTEGER,
    limit,
  );
}
