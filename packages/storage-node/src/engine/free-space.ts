import type { Clock, Disk } from "@cairn/env";
import { StorageError } from "@cairn/protocol";
import type { EngineOptions } from "./engine-parts.ts";

/** Bytes of a disk. */
export interface DiskSpace {
  readonly totalBytes: number;
  readonly freeBytes: number;
}

/** True when what is left must be kept for deletes, checkpoints and compaction. */
export function isFull(space: DiskSpace, { reserveBytes, fullFraction }: EngineOptions): boolean {
  return space.freeBytes < Math.min(reserveBytes, space.totalBytes * fullFraction);
}

/** Refuses chunks on a full disk, and asks the system only now and then how full it is. */
export class FreeSpace {
  readonly #disk: Disk;
  readonly #clock: Clock;
  readonly #options: EngineOptions;
  #seen: DiskSpace | undefined;
  #seenAt = 0;
  #admitted = 0;
  #asking: Promise<DiskSpace> | undefined;

  constructor(disk: Disk, clock: Clock, options: EngineOptions) {
    this.#disk = disk;
    this.#clock = clock;
    this.#options = options;
  }

  /** Throws no-space when a chunk of so many bytes would use up the reserve. */
  async admit(bytes: number): Promise<void> {
    let space = this.#fresh() ?? (await this.measure());
    if (isFull(this.#after(space, bytes), this.#options) && this.#admitted > 0) space = await this.measure();
    if (isFull(this.#after(space, bytes), this.#options)) {
      throw new StorageError("no-space", "put chunk", `${space.freeBytes} of ${space.totalBytes} bytes are free`, {
        hint: "Add a disk or a node, or delete something; the rest of this disk is kept for deletes and clean-up.",
      });
    }
    this.#admitted += bytes;
  }

  /** Asks the system. */
  measure(): Promise<DiskSpace> {
    this.#asking ??= this.#ask();
    return this.#asking;
  }

  #fresh(): DiskSpace | undefined {
    const { spaceRefreshMs, spaceRefreshBytes } = this.#options;
    const old = this.#clock.monotonic() - this.#seenAt >= spaceRefreshMs || this.#admitted >= spaceRefreshBytes;
    return old ? undefined : this.#seen;
  }

  #after(space: DiskSpace, bytes: number): DiskSpace {
    return { totalBytes: space.totalBytes, freeBytes: space.freeBytes - this.#admitted - bytes };
  }

  async #ask(): Promise<DiskSpace> {
    try {
      this.#seen = await this.#disk.space();
      this.#seenAt = this.#clock.monotonic();
      this.#admitted = 0;
      return this.#seen;
    } finally {
      this.#asking = undefined;
    }
  }
}
