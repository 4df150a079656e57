import type { DiskId } from "@cairn/protocol";

/** Ends the use of a stream; calling it twice is calling it once. */
export type ReleaseStream = () => void;

/** How many groups each disk gives and takes copies of at once: moves and repairs of chunks share them. */
export class CopyStreams {
  readonly #limit: () => number;
  readonly #in = new Map<DiskId, number>();
  readonly #out = new Map<DiskId, number>();

  /** `limit` is asked each time: it may be changed while copies are under way. */
  constructor(limit: () => number) {
    this.#limit = limit;
  }

  canTake(disk: DiskId): boolean {
    return (this.#in.get(disk) ?? 0) < this.#limit();
  }

  canGive(disk: DiskId): boolean {
    return (this.#out.get(disk) ?? 0) < this.#limit();
  }

  /** Undefined when one of the disks has none free. */
  take(use: { readonly from: DiskId; readonly to: DiskId }): ReleaseStream | undefined {
    if (!this.canTake(use.to) || !this.canGive(use.from)) return undefined;
    add(this.#in, use.to, 1);
    add(this.#out, use.from, 1);
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      add(this.#in, use.to, -1);
      add(this.#out, use.from, -1);
    };
  }
}

function add(counts: Map<DiskId, number>, disk: DiskId, change: number): void {
  const count = (counts.get(disk) ?? 0) + change;
  if (count === 0) counts.delete(disk);
  else counts.set(disk, count);
}
