import { type DriveId, type ObjectAttributes, objectTag, StorageError } from "@cairn/protocol";
import { objectOf } from "../namespace/object-lookup.ts";
import { type Store, treeOf } from "../sql/store.ts";

/** Changes what is said of an object's current version besides its bytes. Throws not-found. */
export async function changeAttributes(
  store: Store,
  { drive, key }: { readonly drive: DriveId; readonly key: string },
  changed: Pick<ObjectAttributes, "tags" | "acl">,
): Promise<void> {
  await store.queue.submit(async (tx) => {
    const { row, entry } = await objectOf(treeOf(store, tx), await store.drives.byId(tx.sql, drive), key);
    const version = await tx.get<{ meta: string | null }>("SELECT meta FROM version WHERE id = ?", row.current_version);
    if (!version) throw new StorageError("not-found", "describe object", key.slice(0, 200));
    const before = version.meta === null ? { tag: objectTag(entry) } : (JSON.parse(version.meta) as ObjectAttributes);
    await tx.run(
      "UPDATE version SET meta = ? WHERE id = ?",
      JSON.stringify({ ...before, ...changed }),
      row.current_version,
    );
  });
}
