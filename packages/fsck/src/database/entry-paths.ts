import type { Snapshot } from "./database.ts";
import { hexOf } from "./hash-column.ts";

interface EntryRow {
  readonly parent: Uint8Array | null;
  readonly sort_name: Uint8Array;
  readonly original_path: Uint8Array | null;
}

/** Folders one below the other; more of them are a circle. */
const depthMax = 4096;

/** Where entries stand, for people. */
export class EntryPaths {
  readonly #snapshot: Snapshot;
  readonly #driveOf: ReadonlyMap<string, string>;

  constructor(snapshot: Snapshot) {
    this.#snapshot = snapshot;
    this.#driveOf = new Map(
      snapshot
        .all<{ name: string; root: Uint8Array; trash: Uint8Array }>("SELECT name, root, trash FROM drive")
        .flatMap(({ name, root, trash }) => [
          [hexOf(root), `${name}:`],
          [hexOf(trash), `${name}: (trash)`],
        ]),
    );
  }

  /** Such as `main:/reports/2024.pdf`; a path that leads nowhere ends in its id. */
  pathOf(entry: Uint8Array): string {
    const names: string[] = [];
    for (const { id, row } of this.#upwards(entry)) {
      const drive = this.#driveOf.get(hexOf(id));
      if (drive !== undefined) return `${drive}/${names.reverse().join("/")}`;
      const name = Buffer.from(row.sort_name).toString("utf8").replace(/\/$/, "");
      // In the trash the name is the entry's id, and the path that it had says more.
      names.push(row.original_path ? Buffer.from(row.original_path).toString("utf8").replace(/^\//, "") : name);
    }
    return `entry ${hexOf(entry)}`;
  }

  /** True when the entry, or a folder above it, was removed for good and its rows are still to go. */
  isBeingRemoved(entry: Uint8Array): boolean {
    const top = [...this.#upwards(entry)].at(-1);
    if (!top || top.row.parent !== null) return false;
    return this.#snapshot.get("SELECT 1 AS one FROM detached WHERE entry = ?", top.id) !== undefined;
  }

  *#upwards(entry: Uint8Array): Generator<{ readonly id: Uint8Array; readonly row: EntryRow }> {
    let id: Uint8Array | null = entry;
    for (let depth = 0; id && depth < depthMax; depth++) {
      const text = "SELECT parent, sort_name, original_path FROM entry WHERE id = ?";
      const row: EntryRow | undefined = this.#snapshot.get<EntryRow>(text, id);
      if (!row) return;
      yield { id, row };
      id = row.parent;
    }
  }
}
