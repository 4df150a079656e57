import type { EntryId, VersionId } from "@cairn/protocol";

/** SHA-256 of a file's bytes in hex, or `absent`. */
export type FileState = string;
export const absent: FileState = "absent";

/** A change of one path. `end` stays infinite while, or if ever, nobody knows whether and when it took place. */
export interface Change {
  readonly state: FileState;
  readonly begin: number;
  end: number;
}

/** A version that was acknowledged. */
export interface AckedVersion {
  readonly path: string;
  readonly entry: EntryId;
  readonly version: VersionId;
  readonly state: FileState;
}

/**
 * What the clients did and were told. A path is a register: what is read must have been written, and must not have been
 * overwritten by a change that began after that one had ended and ended before the reading began.
 */
export class Ledger {
  readonly #changes = new Map<string, Change[]>();
  readonly #versions: AckedVersion[] = [];
  readonly #removed = new Set<EntryId>();
  readonly #entriesAt = new Map<string, Set<EntryId>>();
  /** Where a move whose outcome nobody knows may still take whatever stands at a path. */
  readonly #mayMoveTo = new Map<string, Set<string>>();

  paths(): readonly string[] {
    return [...this.#changes.keys()];
  }

  /** A change begins; it may take place at any time from now on, until it is acknowledged. */
  begin(path: string, state: FileState, now: number): Change {
    const change = { state, begin: now, end: Number.POSITIVE_INFINITY };
    this.#of(path).push(change);
    for (const target of this.#targetsOf(path)) this.#of(target).push({ ...change });
    return change;
  }

  /** A move was not acknowledged: it may take place at any time, with what stands at `from` then. */
  mayMove(from: string, to: string): void {
    const targets = this.#mayMoveTo.get(from) ?? new Set();
    this.#mayMoveTo.set(from, targets.add(to));
  }

  /** The change was acknowledged: it has taken place. */
  acknowledge(change: Change, now: number): void {
    change.end = now;
  }

  /** The change is known not to have taken place, and never will. */
  refuse(path: string, change: Change): void {
    this.#changes.set(
      path,
      this.#of(path).filter((other) => other !== change),
    );
  }

  /** Every state that a reading between these moments may find. */
  possible(path: string, from: number, to: number): ReadonlySet<FileState> {
    const changes = this.#of(path);
    const fits = changes.filter(
      (change) => change.begin <= to && !changes.some((later) => change.end < later.begin && later.end < from),
    );
    return new Set(fits.map(({ state }) => state));
  }

  remember(version: AckedVersion): void {
    this.#versions.push(version);
    this.mayStandAt(version.path, version.entry);
  }

  mayStandAt(path: string, entry: EntryId): void {
    const at = this.#entriesAt.get(path) ?? new Set();
    this.#entriesAt.set(path, at.add(entry));
  }

  /** The entry may have been removed for good or replaced: its versions are not expected any more. */
  mayBeGone(entry: EntryId): void {
    this.#removed.add(entry);
  }

  /** Whatever stands at the path may be replaced. */
  mayBeReplaced(path: string): void {
    for (const entry of this.#entriesAt.get(path) ?? []) this.#removed.add(entry);
  }

  /** Versions that nobody has tried to remove. */
  keptVersions(): readonly AckedVersion[] {
    return this.#versions.filter(({ entry }) => !this.#removed.has(entry));
  }

  #targetsOf(path: string): ReadonlySet<string> {
    const targets = new Set(this.#mayMoveTo.get(path));
    // A set that grows while it is gone through is gone through to its end.
    for (const target of targets) for (const next of this.#mayMoveTo.get(target) ?? []) targets.add(next);
    targets.delete(path);
    return targets;
  }

  #of(path: string): Change[] {
    let changes = this.#changes.get(path);
    if (!changes) {
      changes = [{ state: absent, begin: -1, end: -1 }];
      this.#changes.set(path, changes);
    }
    return changes;
  }
}
