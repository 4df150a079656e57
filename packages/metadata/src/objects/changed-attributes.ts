import {
  bytesOfId,
  type DriveId,
  type LockChange,
  mayChangeRetention,
  type ObjectAttributes,
  objectTag,
  StorageError,
  type VersionId,
} from "@cairn/protocol";
import type { DriveRecord } from "../namespace/drive-table.ts";
import { spellEtag } from "../namespace/entry-row.ts";
import { objectOf } from "../namespace/object-lookup.ts";
import { type Store, treeOf } from "../sql/store.ts";
import { fileOfVersion } from "./version-lookup.ts";

/** Which version of an object; `version` undefined: the current one. */
interface VersionAddress {
  readonly drive: DriveId;
  readonly key: string;
  readonly version: VersionId | undefined;
}

/** Changes what is said of a version of an object besides its bytes. Throws not-found. */
export async function changeAttributes(
  store: Store,
  { drive, key, version }: VersionAddress,
  change: (
    before: ObjectAttributes,
    context: { readonly drive: DriveRecord; readonly now: number },
  ) => Pick<ObjectAttributes, "tags" | "acl" | "lock">,
): Promise<void> {
  await store.queue.submit(async (tx) => {
    const tree = treeOf(store, tx);
    const record = await store.drives.byId(tx.sql, drive);
    const { row } =
      version === undefined ? await objectOf(tree, record, key) : await fileOfVersion(tree, record, { key, version });
    const id = version === undefined ? row.current_version : bytesOfId(version);
    const content = await tx.get<{ meta: string | null; etag: Uint8Array; chunks: number }>(
      "SELECT meta, etag, chunks FROM version WHERE id = ?",
      id,
    );
    if (!content) throw new StorageError("not-found", "describe object", key.slice(0, 200));
    const { meta, etag, chunks } = content;
    const tag = objectTag({ tag: undefined, etag: spellEtag(etag), chunks });
    const before = meta === null ? { tag } : (JSON.parse(meta) as ObjectAttributes);
    const changed = change(before, { drive: record, now: tx.now });
    await tx.run("UPDATE version SET meta = ? WHERE id = ?", JSON.stringify({ ...before, ...changed }), id);
  });
}

/** Throws not-found, invalid (the drive has no object lock), forbidden (what is there cannot be lifted). */
export async function changeLock(store: Store, address: VersionAddress, change: LockChange): Promise<void> {
  const { retention, legalHold, bypassGovernance } = change;
  const name = address.key.slice(0, 200);
  await changeAttributes(store, address, ({ lock }, { drive, now }) => {
    if (!drive.objectLock) throw new StorageError("invalid", "lock object", `${drive.name} has no object lock`);
    if (retention !== undefined && !mayChangeRetention(lock?.retention, retention, { now, bypassGovernance })) {
      throw new StorageError("forbidden", "lock object", name, { hint: "Its retention can only be made longer." });
    }
    return {
      lock: {
        retention: retention === undefined ? lock?.retention : (retention ?? undefined),
        legalHold: legalHold ?? lock?.legalHold,
      },
    };
  });
}
