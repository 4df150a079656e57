import type { Sql } from "@cairn/env";
import {
  compareBytes,
  type DriveId,
  fromHex,
  fromUtf8,
  idFromBytes,
  type ListedObject,
  limits,
  type ObjectListRequest,
  type ObjectPage,
  StorageError,
  utf8,
} from "@cairn/protocol";
import type { DriveRecord } from "../namespace/drive-table.ts";
import { folderKind } from "../namespace/entry-row.ts";
import { readTree, type Store } from "../sql/store.ts";

const slash = 0x2f;

interface ChildRow {
  /** The sort_name: UTF-8, so text orders nothing here but says everything. */
  readonly name: string;
  readonly kind: number;
  /** In hex: the id of a folder, the current version of a file. */
  readonly id: string;
  readonly size: number;
  readonly modified_at: number;
  readonly tag: string;
}

/**
 * Children of a folder between two names. Bytes come as text, which costs SQLite's binding the least; a content that came
 * another way than as an object gets the tag of objectTag.
 */
const childrenText = `SELECT CAST(sort_name AS TEXT) AS name, kind, size, modified_at,
    lower(hex(CASE kind WHEN ${folderKind} THEN id ELSE current_version END)) AS id,
    coalesce(tag, lower(substr(hex(etag), 1, 32)) || '-' || (CASE WHEN chunks > 1 THEN chunks ELSE 1 END)) AS tag
  FROM entry WHERE parent = ? AND sort_name >= ? AND sort_name < ?
    AND (kind = 0 OR EXISTS (SELECT 1 FROM entry AS child WHERE child.parent = entry.id))
  ORDER BY sort_name LIMIT ?`;
/** Behind every name: no UTF-8 has this byte. */
const endOfNames = Uint8Array.of(0xff);

/** A folder whose children are being told. */
interface Frame {
  readonly folder: Uint8Array;
  /** What the keys of its children begin with. */
  readonly prefix: string;
  /** All of them begin with the prefix that is asked for. */
  readonly wanted: boolean;
  /** The first sort_name that may come. */
  from: Uint8Array;
  /** The first sort_name that may not. */
  readonly to: Uint8Array;
  rows: readonly ChildRow[];
  at: number;
  /** The last rows that there are have been read. */
  ended: boolean;
}

/** Objects of a drive in the order of their keys: the tree, depth first (docs/formats/metadata.md). Throws invalid. */
export function listObjects(store: Store, id: DriveId, request: ObjectListRequest): Promise<ObjectPage> {
  const { size } = request;
  if (!Number.isSafeInteger(size) || size < 1 || size > limits.pageSizeMax) {
    throw new StorageError("invalid", "list objects", `${size} objects`, {
      hint: `1–${limits.pageSizeMax} in a page.`,
    });
  }
  return readTree(store, async (_, sql) => await pageOfObjects(sql, await store.drives.byId(sql, id), request));
}

/** As listObjects, on a snapshot that is there. */
export function pageOfObjects(sql: Sql, drive: DriveRecord, request: ObjectListRequest): Promise<ObjectPage> {
  return new Listing(sql, request).page(drive);
}

/** The first bytes that a key may have: behind `after`, and not before the prefix. */
export function startOf({ after, delimiter, prefix }: Omit<ObjectListRequest, "size">): Uint8Array {
  const first = utf8(prefix);
  if (after === "") return first;
  const common = delimiter !== "" && after.startsWith(prefix) ? commonPrefix(after, prefix, delimiter) : undefined;
  const start = common === after ? behind(utf8(after)) : withZero(utf8(after));
  return compareBytes(start, first) > 0 ? start : first;
}

/** One page in the making. */
class Listing {
  readonly #sql: Sql;
  readonly #request: ObjectListRequest;
  readonly #objects: ListedObject[] = [];
  readonly #prefixes: string[] = [];
  readonly #frames: Frame[] = [];

  constructor(sql: Sql, request: ObjectListRequest) {
    this.#sql = sql;
    this.#request = request;
  }

  async page(drive: DriveRecord): Promise<ObjectPage> {
    await this.#seek(drive, startOf(this.#request));
    let next: string | undefined;
    for (let frame = this.#frames.at(-1); frame; frame = this.#frames.at(-1)) {
      const row = await this.#next(frame);
      if (!row) {
        this.#frames.pop();
        continue;
      }
      if (this.#objects.length + this.#prefixes.length === this.#request.size) return this.#result(next);
      next = (await this.#take(drive, frame, row)) ?? next;
    }
    return this.#result(undefined);
  }

  #result(next: string | undefined): ObjectPage {
    return { objects: this.#objects, prefixes: this.#prefixes, next };
  }

  /** Tells a row or goes down into it. Answers the key or common prefix that was told. */
  async #take(drive: DriveRecord, frame: Frame, row: ChildRow): Promise<string | undefined> {
    const key = frame.prefix + row.name;
    const { delimiter, prefix } = this.#request;
    if (!frame.wanted && row.kind !== folderKind && !key.startsWith(prefix)) return undefined;
    const common = delimiter === "" ? undefined : commonPrefix(key, prefix, delimiter);
    if (row.kind === folderKind && (common === undefined || common.length > key.length)) {
      this.#push({ folder: fromHex(row.id), prefix: key, from: new Uint8Array(0) });
      return undefined;
    }
    if (common !== undefined) {
      this.#prefixes.push(common);
      // All of a folder is behind it already; what another delimiter gathers may go on in folders to come.
      if (common !== key || delimiter !== "/") await this.#seek(drive, behind(utf8(common)));
      return common;
    }
    this.#objects.push({
      key,
      version: idFromBytes("v_", fromHex(row.id)),
      size: row.size,
      modifiedAt: row.modified_at,
      tag: row.tag,
    });
    return key;
  }

  /** Begins anew with the first key that is not before `start`. */
  async #seek(drive: DriveRecord, start: Uint8Array): Promise<void> {
    this.#frames.length = 0;
    let folder = drive.rootBytes;
    let prefix = "";
    for (let rest = start; ; ) {
      const cut = rest.indexOf(slash);
      if (cut < 0) {
        this.#push({ folder, prefix, from: rest });
        return;
      }
      const name = rest.subarray(0, cut + 1);
      // What follows the folder in its own; the folder itself is gone down into, if it is there.
      const below = await this.#folderOf(folder, name);
      this.#push({ folder, prefix, from: below ? withZero(name) : name });
      if (!below) return;
      folder = below;
      prefix += fromUtf8(name);
      rest = rest.subarray(cut + 1);
    }
  }

  async #folderOf(parent: Uint8Array, sortName: Uint8Array): Promise<Uint8Array | undefined> {
    const row = await this.#sql.get<{ id: Uint8Array }>(
      "SELECT id FROM entry WHERE parent = ? AND sort_name = ?",
      parent,
      sortName,
    );
    return row?.id;
  }

  /** Only what can begin with the prefix is read. */
  #push({ folder, prefix, from }: Pick<Frame, "folder" | "prefix" | "from">): void {
    const asked = this.#request.prefix;
    const wanted = prefix.startsWith(asked);
    if (!wanted && !asked.startsWith(prefix)) return;
    let to: Uint8Array = endOfNames;
    if (!wanted) {
      const rest = asked.slice(prefix.length);
      // A name of this folder that is longer than what the prefix has of it, or just as long.
      to = behind(utf8(rest.slice(0, rest.indexOf("/") + 1) || rest));
    }
    this.#frames.push({ folder, prefix, wanted, from, to, rows: [], at: 0, ended: false });
  }

  async #next(frame: Frame): Promise<ChildRow | undefined> {
    if (frame.at === frame.rows.length && !frame.ended) {
      const wanted = this.#request.size + 1 - this.#objects.length - this.#prefixes.length;
      const last = frame.rows.at(-1);
      if (last) frame.from = withZero(utf8(last.name));
      frame.rows = await this.#sql.all<ChildRow>(childrenText, frame.folder, frame.from, frame.to, wanted);
      frame.at = 0;
      frame.ended = frame.rows.length < wanted;
    }
    return frame.rows[frame.at++];
  }
}

/** The key up to and with the first delimiter behind the prefix; undefined when there is none. */
export function commonPrefix(key: string, prefix: string, delimiter: string): string | undefined {
  const at = key.startsWith(prefix) ? key.indexOf(delimiter, prefix.length) : -1;
  return at < 0 ? undefined : key.slice(0, at + delimiter.length);
}

/** The first bytes behind all that begin with these. UTF-8 has no byte 0xff, so there always are. */
export function behind(bytes: Uint8Array): Uint8Array {
  const next = Uint8Array.from(bytes);
  next[next.length - 1] = (next[next.length - 1] ?? 0) + 1;
  return next;
}

/** The first bytes behind exactly these. */
export function withZero(bytes: Uint8Array): Uint8Array {
  const next = new Uint8Array(bytes.length + 1);
  next.set(bytes);
  return next;
}
