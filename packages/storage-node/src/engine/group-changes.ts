import type { GroupId } from "@cairn/protocol";

/** Which groups of a disk changed when, so that a node need not report again what it has reported. */
export class GroupChanges {
  readonly #changed = new Map<GroupId, number>();
  /** Starts at 1, so that no answered mark is 0, which means everything. */
  #mark = 1;

  /** Names this moment for a later `isAfter`. */
  get mark(): number {
    return this.#mark;
  }

  changed(group: GroupId): void {
    this.#changed.set(group, ++this.#mark);
  }

  dropped(group: GroupId): void {
    this.#changed.delete(group);
    this.#mark++;
  }

  isAfter(mark: number, group: GroupId): boolean {
    return mark === 0 || (this.#changed.get(group) ?? 0) > mark;
  }
}
