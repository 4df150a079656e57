import type { DiskId, GroupId, VerifiedGroup } from "@cairn/protocol";

/** Groups that one heartbeat tells of; the rest follows with the next ones. */
const groupsPerHeartbeat = 1024;

/** Groups that were read and checked and that no answered heartbeat has told of. No more than the disks have groups. */
export class VerifiedGroups {
  readonly #untold = new Map<string, VerifiedGroup>();

  /** `at` in wall clock ms. */
  note(group: GroupId, disk: DiskId, at: number): void {
    this.#untold.set(`${disk} ${group}`, { group, disk, at });
  }

  /** The next ones to tell; `told` is to be called when they were taken note of. */
  next(): { readonly groups: readonly VerifiedGroup[]; readonly told: () => void } {
    const entries = [...this.#untold].slice(0, groupsPerHeartbeat);
    const told = (): void => {
      // A group that was checked once more meanwhile has a newer time to tell.
      for (const [key, group] of entries) if (this.#untold.get(key) === group) this.#untold.delete(key);
    };
    return { groups: entries.map(([, group]) => group), told };
  }
}
