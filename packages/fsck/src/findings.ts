/** How bad a finding is. A note is normal work of a cluster: nothing is lost, nothing is short. */
export type Level = "damage" | "missing" | "note";

/** What can be found; docs/fsck.md explains each. */
export type FindingKind =
  | "database-unsound"
  | "reference-without-chunk"
  | "refs-wrong"
  | "usage-wrong"
  | "tree-broken"
  | "version-broken"
  | "state-broken"
  | "disk-foreign"
  | "segment-foreign"
  | "record-damaged"
  | "index-wrong"
  | "delete-undone"
  | "chunk-lost"
  | "disk-absent"
  | "group-short"
  | "copies-missing"
  | "chunk-short"
  | "idle-short"
  | "damage-harmless"
  | "unfinished-append"
  | "in-grace"
  | "condemned"
  | "orphan-open"
  | "orphan-closed"
  | "deleted"
  | "delete-incomplete"
  | "extra-copy"
  | "group-unknown"
  | "dropped-group"
  | "size-lags"
  | "copies-differ"
  | "repair-waits"
  | "disk-unseen"
  | "move-runs";

/** How bad each kind is, the worst first. */
export const findingLevels: Readonly<Record<FindingKind, Level>> = {
  "database-unsound": "damage",
  "reference-without-chunk": "damage",
  "refs-wrong": "damage",
  "usage-wrong": "damage",
  "tree-broken": "damage",
  "version-broken": "damage",
  "state-broken": "damage",
  "disk-foreign": "damage",
  "segment-foreign": "damage",
  "record-damaged": "damage",
  "index-wrong": "damage",
  "delete-undone": "damage",
  "chunk-lost": "damage",
  "disk-absent": "missing",
  "group-short": "missing",
  "copies-missing": "missing",
  "chunk-short": "missing",
  "idle-short": "note",
  "damage-harmless": "note",
  "unfinished-append": "note",
  "in-grace": "note",
  condemned: "note",
  "orphan-open": "note",
  "orphan-closed": "note",
  deleted: "note",
  "delete-incomplete": "note",
  "extra-copy": "note",
  "group-unknown": "note",
  "dropped-group": "note",
  "size-lags": "note",
  "copies-differ": "note",
  "repair-waits": "note",
  "disk-unseen": "note",
  "move-runs": "note",
};

export type Detail = string | number | boolean | null | readonly Detail[] | { readonly [name: string]: Detail };

/** One thing that was found, in words and for programs. */
export interface Finding {
  readonly kind: FindingKind;
  readonly level: Level;
  readonly message: string;
  readonly details: Readonly<Record<string, Detail>>;
}

/** All findings of a kind: how many, and the bytes they speak of. */
export interface FindingTotal {
  readonly kind: FindingKind;
  readonly level: Level;
  readonly count: number;
  readonly bytes: number;
}

/** Something that may be told, once it is certain. */
export interface Suspicion {
  readonly kind: FindingKind;
  readonly message: string;
  readonly details?: Readonly<Record<string, Detail>>;
  readonly bytes?: number;
  /** Of what may be a change under way: it is told only when a second look finds it again. */
  readonly key?: string;
  /** Things that this one finding stands for; absent: 1. */
  readonly count?: number;
}

/** Counts all findings and keeps the first few of each kind: a lost disk must not fill the memory with its chunks. */
export class Findings {
  readonly #limit: number;
  readonly #kept = new Map<FindingKind, Finding[]>();
  readonly #totals = new Map<FindingKind, { count: number; bytes: number }>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  add({ kind, message, details = {}, bytes = 0, count = 1 }: Suspicion): void {
    this.count(kind, bytes, count);
    const kept = this.#kept.get(kind) ?? [];
    if (kept.length < this.#limit) kept.push({ kind, level: findingLevels[kind], message, details });
    this.#kept.set(kind, kept);
  }

  /** Without a word: for what is beyond the limit anyway. */
  count(kind: FindingKind, bytes: number, count: number = 1): void {
    const total = this.#totals.get(kind) ?? { count: 0, bytes: 0 };
    this.#totals.set(kind, { count: total.count + count, bytes: total.bytes + bytes });
  }

  /** In the order of the list of kinds, the worst first. */
  get totals(): readonly FindingTotal[] {
    return kinds().flatMap((kind) => {
      const total = this.#totals.get(kind);
      return total ? [{ kind, level: findingLevels[kind], ...total }] : [];
    });
  }

  get kept(): readonly Finding[] {
    return kinds().flatMap((kind) => this.#kept.get(kind) ?? []);
  }

  get worst(): Level {
    const levels = new Set(this.totals.map(({ level }) => level));
    return levels.has("damage") ? "damage" : levels.has("missing") ? "missing" : "note";
  }
}

function kinds(): readonly FindingKind[] {
  return Object.keys(findingLevels) as FindingKind[];
}
