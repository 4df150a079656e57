import { type GroupId, isKind } from "@cairn/protocol";
import type { EngineParts } from "./engine-parts.ts";

/** A group that was dropped and whose files are still there. */
export interface TrashedGroup {
  /** `<group>-<wall ms>`. */
  readonly name: string;
  readonly group: GroupId;
  /** Wall clock ms. */
  readonly droppedAt: number;
  readonly bytes: number;
}

const folder = "trash";

/** Groups that the leader had dropped: their folders stay for a while, so that a mistake of people can be mended. */
export class GroupTrash {
  readonly #parts: EngineParts;
  /** A group was moved, and it is not known whether that would outlive a power cut. */
  #inDoubt = false;

  constructor(parts: EngineParts) {
    this.#parts = parts;
  }

  /** Moves a closed group's folder here with one rename. */
  async take(group: GroupId): Promise<void> {
    const { disk, clock, crashPoint } = this.#parts;
    await disk.makeFolder(folder);
    let droppedAt = clock.now();
    while (await disk.exists(`${folder}/${group}-${droppedAt}`)) droppedAt++;
    crashPoint("engine.drop.before-rename");
    await disk.rename(`g/${group}`, `${folder}/${group}-${droppedAt}`);
    this.#inDoubt = true;
    crashPoint("engine.drop.after-rename");
    await this.settle();
  }

  /** Makes durable what was moved, if that could not be done at once. */
  async settle(): Promise<void> {
    if (!this.#inDoubt) return;
    // First where it is now: a crash between the two may show it at both places, never at none.
    for (const changed of [".", folder, "g"]) await this.#parts.disk.syncFolder(changed);
    this.#inDoubt = false;
  }

  async list(): Promise<readonly TrashedGroup[]> {
    const { disk } = this.#parts;
    if (!(await disk.exists(folder))) return [];
    const found: TrashedGroup[] = [];
    for (const name of await disk.list(folder)) {
      const match = /^([1-9]\d*)-(\d+)$/.exec(name);
      if (!match) continue;
      const [group, droppedAt] = [Number(match[1]) as GroupId, Number(match[2])];
      found.push({ name, group, droppedAt, bytes: await this.#bytesOf(name) });
    }
    return found.sort((a, b) => a.droppedAt - b.droppedAt);
  }

  /** File by file, so that a signal can end it in between. */
  async empty(name: string, signal: AbortSignal | undefined): Promise<number> {
    if (!/^[1-9]\d*-\d+$/.test(name)) return 0;
    const { disk } = this.#parts;
    const path = `${folder}/${name}`;
    const bytes = await this.#bytesOf(name);
    for (const file of await this.#files(name)) {
      signal?.throwIfAborted();
      await disk.remove(`${path}/${file}`);
    }
    await disk.removeFolder(path);
    await disk.syncFolder(folder);
    return bytes;
  }

  async #bytesOf(name: string): Promise<number> {
    let bytes = 0;
    for (const file of await this.#files(name)) {
      const opened = await this.#parts.disk.open(`${folder}/${name}/${file}`, "read");
      try {
        bytes += await opened.size();
      } finally {
        await opened.close();
      }
    }
    return bytes;
  }

  async #files(name: string): Promise<readonly string[]> {
    try {
      return await this.#parts.disk.list(`${folder}/${name}`);
    } catch (error) {
      if (isKind(error, "not-found")) return [];
      throw error;
    }
  }
}
