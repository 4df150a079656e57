import type { Disk } from "@cairn/env";
import { type CommandClaims, StorageError } from "@cairn/protocol";
import { readNodeFile, writeNodeFile } from "./node-files.ts";

const fenceFile = "fence.json";

/**
 * The highest (incarnation, leader epoch) that ever commanded this node, on disk. A leader that was overtaken, or a
 * metadata server that was restored from an older copy, is refused whatever its tokens say.
 */
export class CommandFence {
  readonly #disk: Disk;
  #incarnation = 0;
  #epoch = 0;
  #saving: Promise<void> = Promise.resolve();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  async load(): Promise<void> {
    const stored = await readNodeFile<{ incarnation: number; epoch: number }>(this.#disk, fenceFile);
    this.#incarnation = stored?.incarnation ?? 0;
    this.#epoch = stored?.epoch ?? 0;
  }

  /** Lets the command pass, or throws stale. A higher leader is on the disk before its command runs. */
  async pass(claims: CommandClaims): Promise<void> {
    const { incarnation, leaderEpoch } = claims;
    const older = incarnation < this.#incarnation || (incarnation === this.#incarnation && leaderEpoch < this.#epoch);
    if (older) {
      throw new StorageError(
        "stale",
        "check command",
        `leader ${incarnation}.${leaderEpoch} was overtaken by ${this.#incarnation}.${this.#epoch}`,
        {
          hint: "Another metadata server leads this cluster. Stop the old one.",
        },
      );
    }
    if (incarnation !== this.#incarnation || leaderEpoch !== this.#epoch) {
      this.#incarnation = incarnation;
      this.#epoch = leaderEpoch;
      this.#saving = this.#saving.then(() => writeNodeFile(this.#disk, fenceFile, { incarnation, epoch: leaderEpoch }));
    }
    await this.#saving;
  }
}
