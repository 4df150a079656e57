import {
  bytesOfId,
  type DriveId,
  type ObjectAttributes,
  objectTag,
  StorageError,
  type VersionId,
} from "@cairn/protocol";
import { spellEtag } from "../namespace/entry-row.ts";
import { objectOf } from "../namespace/object-lookup.ts";
import { type Store, treeOf } from "../sql/store.ts";
import { fileOfVersion } from "./version-lookup.ts";

/** Changes what is said of a version of an object besides its bytes. Throws not-found. */
export async function changeAttributes(
  store: Store,
  { drive, key, version }: { readonly drive: DriveId; readonly key: string; readonly version: VersionId | undefined },
  changed: Pick<ObjectAttributes, "tags" | "acl">,
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
    await tx.run("UPDATE version SET meta = ? WHERE id = ?", JSON.stringify({ ...before, ...changed }), id);
  });
}
