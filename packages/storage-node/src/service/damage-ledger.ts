import {
  type ChunkId,
  type DamagedCopy,
  type Generation,
  limits,
  parseChunkId,
  parseGeneration,
} from "@cairn/protocol";
import type { QuarantinedPlace } from "../engine/index.ts";
import type { CaredDisk } from "./cared-disk.ts";

interface Untold {
  readonly key: string;
  readonly copy: DamagedCopy;
}

/**
 * Which damaged copies the metadata server was told of. The disks keep the list of what was set aside; here is only what
 * needs no repeating, so that a restart tells all of it again.
 */
export class DamageLedger {
  readonly #disks: readonly Pick<CaredDisk, "identity" | "digests" | "quarantined">[];
  #told: Set<string> = new Set();

  constructor(disks: readonly Pick<CaredDisk, "identity" | "digests" | "quarantined">[]) {
    this.#disks = disks;
  }

  /** The next copies to tell, at most badCopiesPerHeartbeatMax; `told` is to be called when they were taken note of. */
  next(): { readonly copies: readonly DamagedCopy[]; readonly more: boolean; readonly told: () => void } {
    const untold: Untold[] = [];
    const known = new Set<string>();
    let more = false;
    for (const { key, copy } of this.#all()) {
      if (this.#told.has(key)) known.add(key);
      else if (untold.length < limits.badCopiesPerHeartbeatMax) untold.push({ key, copy });
      else more = true;
    }
    // What was replaced meanwhile is no longer among the places, and is forgotten here.
    this.#told = known;
    const told = (): void => {
      for (const { key } of untold) this.#told.add(key);
    };
    return { copies: untold.map(({ copy }) => copy), more, told };
  }

  /** The server has forgotten: all of it is told again. */
  forget(): void {
    this.#told.clear();
  }

  *#all(): Generator<Untold> {
    for (const engine of this.#disks) {
      const { disk } = engine.identity;
      for (const { group } of engine.digests()) {
        for (const place of engine.quarantined(group)) {
          const record = recordAt(place);
          if (!record) continue;
          yield { key: `${disk} ${group} ${place.segment}:${place.offset}`, copy: { group, disk, ...record } };
        }
      }
    }
  }
}

/** Bytes without a readable header name no chunk: that one is missing from the group's digest, which is how it is found. */
function recordAt({ hash, generation }: QuarantinedPlace): { id: ChunkId; generation: Generation } | undefined {
  if (hash === undefined || generation === undefined || generation < 1) return undefined;
  return { id: parseChunkId(hash), generation: parseGeneration(generation) };
}
