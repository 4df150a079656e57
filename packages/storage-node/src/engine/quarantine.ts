import { fromUtf8, type Generation, type GroupId, toHex, utf8 } from "@cairn/protocol";
import { readWholeFile, writeWholeFile } from "./atomic-file.ts";
import type { EngineParts } from "./engine-parts.ts";

/** A place of a segment whose bytes cannot be trusted. The bytes stay where they are. */
export interface QuarantinedPlace {
  readonly segment: number;
  readonly offset: number;
  readonly end: number;
  readonly why: string;
  /** The record that stands there, if its header could be read: 64 hex digits. */
  readonly hash?: string;
  readonly generation?: number;
  /** The record was written anew elsewhere, or deleted: nothing waits for this place any more. */
  readonly replaced?: true;
}

/** The damaged places of one group, kept in a file of their own, so that nobody reads them again and repair knows them. */
export class Quarantine {
  readonly #parts: EngineParts;
  readonly #group: GroupId;
  readonly #path: string;
  readonly #places = new Map<string, QuarantinedPlace>();
  #saving: Promise<void> | undefined;
  #unsaved = false;
  #closed = false;

  constructor(parts: EngineParts, { group, folder }: { group: GroupId; folder: string }) {
    this.#parts = parts;
    this.#group = group;
    this.#path = `${folder}/quarantine.json`;
  }

  /** A list that cannot be read is an empty one: whoever reads a damaged place finds the damage again. */
  async load(): Promise<void> {
    const bytes = await readWholeFile(this.#parts.disk, this.#path);
    if (!bytes) return;
    try {
      for (const place of JSON.parse(fromUtf8(bytes)) as QuarantinedPlace[]) this.#places.set(keyOf(place), place);
    } catch (error) {
      this.#parts.log.error({ err: error, file: this.#path }, "the list of damaged places is damaged; it starts anew");
    }
  }

  get places(): readonly QuarantinedPlace[] {
    return [...this.#places.values()];
  }

  holds(segment: number, offset: number): boolean {
    return this.#places.size > 0 && this.#places.has(`${segment}:${offset}`);
  }

  /** Counts at once, and is on the disk when it returns. True when the place was not known yet. Never throws. */
  async add(
    place: Omit<QuarantinedPlace, "hash" | "generation">,
    record?: { hash: Uint8Array; generation: Generation | 0 },
  ): Promise<boolean> {
    if (this.#places.has(keyOf(place))) return false;
    const known = record ? { hash: toHex(record.hash), generation: record.generation } : {};
    this.#places.set(keyOf(place), { ...place, ...known });
    this.#parts.meters.quarantined();
    this.#parts.log.error(
      { ...place, ...known, group: this.#group },
      "damaged bytes found; the copy is set aside until it is replaced",
    );
    this.#unsaved = true;
    this.#saving ??= this.#save();
    await this.#saving;
    return true;
  }

  /** The record stands sound elsewhere, or was deleted: its damaged places wait for nothing. `saved` makes it durable. */
  replaced(hash: Uint8Array, generation: Generation): void {
    if (this.#places.size === 0) return;
    const name = toHex(hash);
    for (const [key, place] of this.#places) {
      if (place.replaced || place.hash !== name || place.generation !== generation) continue;
      this.#places.set(key, { ...place, replaced: true });
      this.#unsaved = true;
    }
  }

  /** Never throws. */
  async saved(): Promise<void> {
    if (this.#unsaved) this.#saving ??= this.#save();
    await this.#saving;
  }

  /** Ends when all is saved, as far as it can be. Another group may stand in this folder then: nothing is saved after. */
  async close(): Promise<void> {
    await this.saved();
    this.#closed = true;
  }

  /** One writer at a time; what comes meanwhile is written by its next round. */
  async #save(): Promise<void> {
    try {
      while (this.#unsaved && !this.#closed) {
        this.#unsaved = false;
        await writeWholeFile(this.#parts.disk, this.#path, [utf8(JSON.stringify(this.places))]);
      }
    } catch (error) {
      // Memory holds the list, and a restart finds the same damage again: reads must go on to tell of it.
      this.#parts.log.error({ err: error, file: this.#path }, "the list of damaged places could not be saved");
    } finally {
      this.#saving = undefined;
    }
  }
}

function keyOf(place: { segment: number; offset: number }): string {
  return `${place.segment}:${place.offset}`;
}
