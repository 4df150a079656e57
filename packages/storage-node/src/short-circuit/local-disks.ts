import type { Clock, Disk } from "@cairn/env";
import type { DiskId } from "@cairn/protocol";
import { readDiskIdentity } from "../engine/index.ts";

/** How long a disk that was not there is not looked for again. */
const lookAgainMs = 10_000;

/** The disks of storage nodes on this machine, by the ids that they have in the cluster. Nothing is ever written to them. */
export class LocalDisks {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #folders: readonly Disk[];
  #known: Promise<ReadonlyMap<DiskId, Disk>> | undefined;
  #lookedAt = 0;

  constructor(clock: Pick<Clock, "monotonic">, folders: readonly Disk[]) {
    this.#clock = clock;
    this.#folders = folders;
  }

  /** Undefined for a disk of another machine, and for one that cannot be read. */
  async find(id: DiskId): Promise<Disk | undefined> {
    const found = (await this.#known)?.get(id);
    const now = this.#clock.monotonic();
    if (found || (this.#known && now - this.#lookedAt < lookAgainMs)) return found;
    this.#lookedAt = now;
    this.#known = this.#look();
    return (await this.#known).get(id);
  }

  async #look(): Promise<ReadonlyMap<DiskId, Disk>> {
    const disks = new Map<DiskId, Disk>();
    for (const folder of this.#folders) {
      // A node that has not made its disk yet, or that keeps others out.
      const identity = await readDiskIdentity(folder).catch(() => undefined);
      if (identity) disks.set(identity.disk, folder);
    }
    return disks;
  }
}
