import type { Disk } from "@cairn/env";
import { type CommandClaims, StorageError } from "@cairn/protocol";
import { readNodeFile, writeNodeFile } from "./node-files.ts";

const fenceFile = "fence.json";

interface Leader {
  readonly incarnation: number;
  readonly epoch: number;
}

/**
 * The highest (incarnation, leader epoch) that ever commanded this node, on disk. A leader that was overtaken, or a
 * metadata server that was restored from an older copy, is refused whatever its tokens say.
 */
export class CommandFence {
  readonly #disk: Disk;
  /** The highest that was seen; refusals go by this one. */
  #highest: Leader = { incarnation: 0, epoch: 0 };
  /** The highest that is on the disk; permissions go by this one. */
  #durable: Leader = this.#highest;
  #saving: Promise<void> | undefined;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Throws corrupt when the file cannot be understood: without it an overtaken leader could delete. */
  async load(): Promise<void> {
    const stored = await readNodeFile<Partial<Leader> | null>(this.#disk, fenceFile);
    if (stored === undefined) return;
    const { incarnation, epoch } = stored ?? {};
    if (!isCount(incarnation) || !isCount(epoch)) {
      throw new StorageError("corrupt", "read node file", fenceFile, {
        hint: "Restore the file from a backup; it says which metadata server may command this node.",
      });
    }
    this.#highest = { incarnation, epoch };
    this.#durable = this.#highest;
  }

  /** Lets the command pass, or throws stale. A higher leader is on the disk before its command runs. */
  async pass({ incarnation, leaderEpoch }: CommandClaims): Promise<void> {
    const leader = { incarnation, epoch: leaderEpoch };
    if (isBelow(leader, this.#highest)) {
      const { incarnation: last, epoch } = this.#highest;
      const why = `leader ${incarnation}.${leaderEpoch} was overtaken by ${last}.${epoch}`;
      throw new StorageError("stale", "check command", why, {
        hint: "Another metadata server leads this cluster. Stop the old one.",
      });
    }
    if (isBelow(this.#highest, leader)) this.#highest = leader;
    while (isBelow(this.#durable, leader)) {
      // A save that failed fails its own commands only; the next command tries again.
      this.#saving ??= this.#save().finally(() => {
        this.#saving = undefined;
      });
      await this.#saving;
    }
  }

  /** Whether no higher leader has commanded the node since. */
  isCurrent({ incarnation, leaderEpoch }: CommandClaims): boolean {
    return !isBelow({ incarnation, epoch: leaderEpoch }, this.#highest);
  }

  async #save(): Promise<void> {
    const leader = this.#highest;
    await writeNodeFile(this.#disk, fenceFile, leader);
    this.#durable = leader;
  }
}

function isBelow(one: Leader, other: Leader): boolean {
  return one.incarnation < other.incarnation || (one.incarnation === other.incarnation && one.epoch < other.epoch);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
