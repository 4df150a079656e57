import { fromUtf8, type Generation, toHex, utf8 } from "@cairn/protocol";
import { readWholeFile, writeWholeFile } from "./atomic-file.ts";
import type { EngineParts } from "./engine-parts.ts";

/** A place of a segment whose bytes cannot be trusted. The bytes stay where they are. */
export interface QuarantinedPlace {
  readonly segment: number;
  readonly offset: number;
  readonly end: number;
  readonly why: string;
  /** The record that stands there, if its header could be read. */
  readonly hash?: string;
  readonly generation?: number;
}

/** The damaged places of one group, kept in a file of their own, so that nobody reads them again and repair knows them. */
export class Quarantine {
  readonly #parts: EngineParts;
  readonly #path: string;
  readonly #places = new Map<string, QuarantinedPlace>();

  constructor(parts: EngineParts, folder: string) {
    this.#parts = parts;
    this.#path = `${folder}/quarantine.json`;
  }

  async load(): Promise<void> {
    const bytes = await readWholeFile(this.#parts.disk, this.#path);
    if (!bytes) return;
    for (const place of JSON.parse(fromUtf8(bytes)) as QuarantinedPlace[]) this.#places.set(keyOf(place), place);
  }

  get places(): readonly QuarantinedPlace[] {
    return [...this.#places.values()];
  }

  holds(segment: number, offset: number): boolean {
    return this.#places.size > 0 && this.#places.has(`${segment}:${offset}`);
  }

  /** True when the place was not known yet. */
  async add(
    place: Omit<QuarantinedPlace, "hash" | "generation">,
    record?: { hash: Uint8Array; generation: Generation | 0 },
  ): Promise<boolean> {
    if (this.#places.has(keyOf(place))) return false;
    const known = record ? { hash: toHex(record.hash), generation: record.generation } : {};
    this.#places.set(keyOf(place), { ...place, ...known });
    this.#parts.meters.quarantined();
    this.#parts.log.error(
      { ...place, ...known, file: this.#path },
      "damaged bytes found; the copy is set aside until it is replaced",
    );
    await writeWholeFile(this.#parts.disk, this.#path, [utf8(JSON.stringify(this.places))]);
    return true;
  }
}

function keyOf(place: { segment: number; offset: number }): string {
  return `${place.segment}:${place.offset}`;
}
