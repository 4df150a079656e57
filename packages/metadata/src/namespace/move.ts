import { bytesOfId, type CommitId, type Entry, type EntryId, StorageError } from "@cairn/protocol";
import { keyOf } from "../sql/byte-key.ts";
import { type Store, treeOf } from "../sql/store.ts";
import { hang, moveToTrash } from "./entry-writes.ts";
import { claimName } from "./name-claim.ts";
import { resolveLive } from "./resolve.ts";
import type { Folder } from "./tree.ts";

/** See NamespaceService.move. */
export interface MoveTarget {
  readonly parent?: EntryId;
  readonly name?: string;
  readonly onConflict: "fail" | "rename" | "replace";
}

const operation = "move entry";

/** Moves and renames: one row, whatever hangs below. What is replaced goes to the trash. */
export async function move(store: Store, commit: CommitId, id: EntryId, to: MoveTarget): Promise<Entry> {
  return await store.queue.submit(async (tx) => {
    const replay = await tx.replayOf<Entry>(commit, operation);
    if (replay) return replay.result;
    const tree = treeOf(store, tx);
    const { row, entry } = await resolveLive(tree, bytesOfId(id), operation);
    const folder = await tree.liveFolder(to.parent ?? (entry.parent as EntryId), operation);
    if (keyOf(row.drive) !== keyOf(folder.drive.idBytes)) throw otherDrive(entry);
    if (entry.kind === "folder") refuseCycle(entry, row.id, folder);
    const claim = await claimName(tree, {
      folder,
      name: to.name ?? entry.name,
      kind: entry.kind,
      onConflict: to.onConflict,
      self: row.id,
      operation,
    });
    if (claim.replaced) await moveToTrash(tx, tree, claim.replaced, folder);
    const moved = await hang(tx, tree, row, { folder, sortName: claim.sortName });
    tx.addChange({ operation: "move", entry: moved.id, parent: moved.parent, name: moved.name });
    await tx.remember(commit, operation, moved);
    return moved;
  });
}

/** A folder below itself would hang on nothing. */
function refuseCycle(entry: Entry, id: Uint8Array, target: Folder): void {
  const key = keyOf(id);
  for (let above: Folder | undefined = target; above; above = above.parent) {
    if (above.key !== key) continue;
    throw new StorageError("invalid", operation, `${entry.path} into itself`, {
      hint: "Pick a folder that is not the one being moved nor below it.",
    });
  }
}

function otherDrive(entry: Entry): StorageError {
  return new StorageError("invalid", operation, `${entry.path} to another drive`, {
    hint: "Copy it there and remove it here.",
  });
}
