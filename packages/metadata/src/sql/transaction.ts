import type { Random, Sql, SqlRow, SqlValue } from "@cairn/env";
import {
  assert,
  bytesOfId,
  type CommitId,
  type EntryId,
  type GroupId,
  type LeaseId,
  newId,
  StorageError,
  type VersionId,
} from "@cairn/protocol";
import { countGroupChunks, type GroupChunks } from "../cluster/group-usage.ts";

/** What a change adds to the counters of a drive; negative takes away. */
export interface UsageDelta {
  readonly bytes?: number;
  readonly files?: number;
  readonly folders?: number;
  readonly trashed?: number;
  readonly versions?: number;
}

/** One line of the change feed. */
export interface ChangeRecord {
  readonly operation: "create" | "version" | "move" | "trash" | "restore" | "remove";
  readonly entry: EntryId;
  readonly parent?: EntryId | undefined;
  readonly name?: string;
  readonly version?: VersionId | undefined;
}

const counters = ["bytes", "files", "folders", "trashed", "versions"] as const;
type Totals = Record<(typeof counters)[number], number>;

/**
 * One write transaction that several changes share. It tells reads from writes, so that a change which fails before its
 * first write leaves the others untouched, and gathers what is written once for all: counters and the change feed.
 */
export class Transaction {
  readonly sql: Sql;
  /** Wall clock ms, one for the whole transaction. */
  readonly now: number;
  /** What jobs keep for one another; a failed savepoint clears it. Keyed by the module that owns the value. */
  readonly memory: Map<symbol, unknown> = new Map();
  /** Leases that this transaction has seen open. */
  readonly openLeases: Set<LeaseId> = new Set();
  readonly #random: Random;
  readonly #usage = new Map<string, Totals>();
  readonly #groups = new Map<GroupId, GroupChunks>();
  readonly #changes: ChangeRecord[] = [];
  #written = false;

  constructor(sql: Sql, random: Random, now: number) {
    this.sql = sql;
    this.#random = random;
    this.now = now;
  }

  /** True when something was written since the last mark. */
  get written(): boolean {
    return this.#written;
  }

  /** A place to come back to with `rewind`. */
  mark(): TransactionMark {
    this.#written = false;
    const usage = new Map([...this.#usage].map(([scope, totals]) => [scope, { ...totals }]));
    return { usage, groups: new Map(this.#groups), changes: this.#changes.length };
  }

  /** Forgets what was gathered since the mark; the database's own part is the savepoint's. */
  rewind(mark: TransactionMark): void {
    this.#usage.clear();
    for (const [scope, totals] of mark.usage) this.#usage.set(scope, totals);
    this.#groups.clear();
    for (const [group, chunks] of mark.groups) this.#groups.set(group, chunks);
    this.#changes.length = mark.changes;
    this.memory.clear();
    this.openLeases.clear();
  }

  /** Forgets that the last job wrote: the next one begins. */
  nextJob(): void {
    this.#written = false;
  }

  all<Row = SqlRow>(text: string, ...parameters: readonly SqlValue[]): Promise<Row[]> {
    return this.sql.all<Row>(text, ...parameters);
  }

  get<Row = SqlRow>(text: string, ...parameters: readonly SqlValue[]): Promise<Row | undefined> {
    return this.sql.get<Row>(text, ...parameters);
  }

  /** A statement that writes; tells how many rows changed. */
  async run(text: string, ...parameters: readonly SqlValue[]): Promise<number> {
    const changed = await this.sql.run(text, ...parameters);
    if (changed > 0) this.#written = true;
    return changed;
  }

  /** A statement that writes and returns the rows it wrote. */
  async returning<Row = SqlRow>(text: string, ...parameters: readonly SqlValue[]): Promise<Row[]> {
    const rows = await this.sql.all<Row>(text, ...parameters);
    if (rows.length > 0) this.#written = true;
    return rows;
  }

  newEntryId(): EntryId {
    return newId("f_", this.now, this.#random.bytes(10));
  }

  newVersionId(): VersionId {
    return newId("v_", this.now, this.#random.bytes(10));
  }

  /** Counts as a write. */
  addUsage(scope: string, delta: UsageDelta): void {
    this.#written = true;
    const totals = this.#usage.get(scope) ?? { bytes: 0, files: 0, folders: 0, trashed: 0, versions: 0 };
    for (const counter of counters) totals[counter] += delta[counter] ?? 0;
    this.#usage.set(scope, totals);
  }

  /** Chunks that became needed, or ceased to be, in a group. Counts as a write. */
  addGroupUsage(group: GroupId, delta: GroupChunks): void {
    this.#written = true;
    const before = this.#groups.get(group);
    this.#groups.set(group, {
      chunks: (before?.chunks ?? 0) + delta.chunks,
      bytes: (before?.bytes ?? 0) + delta.bytes,
    });
  }

  /** Counts as a write. */
  addChange(change: ChangeRecord): void {
    this.#written = true;
    this.#changes.push(change);
  }

  /** The answer that a commit id got before; undefined if it is new. Throws conflict if it named another operation. */
  async replayOf<Result>(commit: CommitId, operation: string): Promise<{ readonly result: Result } | undefined> {
    const row = await this.sql.get<{ result: string }>("SELECT result FROM commit_log WHERE id = ?", bytesOfId(commit));
    if (!row) return undefined;
    const logged = JSON.parse(row.result) as { operation: string; result?: Result };
    if (logged.operation !== operation) {
      throw new StorageError("conflict", operation, `commit id ${commit} belongs to: ${logged.operation}`, {
        hint: "Draw a new commit id for each change, and repeat one only with the same request.",
      });
    }
    return { result: logged.result as Result };
  }

  /** Keeps the answer for a repetition of the commit id. */
  async remember(commit: CommitId, operation: string, result: unknown): Promise<void> {
    await this.run(
      "INSERT INTO commit_log (id, result, at) VALUES (?, ?, ?)",
      bytesOfId(commit),
      JSON.stringify({ operation, result }),
      this.now,
    );
  }

  /** Writes what was gathered. The last step of the transaction. */
  async flush(shard: number): Promise<void> {
    for (const [scope, totals] of this.#usage) {
      const changed = await this.run(
        `UPDATE usage SET bytes = bytes + ?, files = files + ?, folders = folders + ?, trashed = trashed + ?,
         versions = versions + ? WHERE scope = ? AND shard = ?`,
        ...counters.map((counter) => totals[counter]),
        scope,
        shard,
      );
      assert(changed === 1, "every drive has a counter row per shard");
    }
    await countGroupChunks(this.sql, this.#groups, shard);
    if (this.#changes.length === 0) return;
    const last = await this.get<{ last: number }>("SELECT COALESCE(MAX(sequence), 0) AS last FROM change");
    let sequence = last?.last ?? 0;
    for (const change of this.#changes) {
      sequence++;
      await this.run(
        "INSERT INTO change (sequence, at, body) VALUES (?, ?, ?)",
        sequence,
        this.now,
        JSON.stringify(change),
      );
    }
  }
}

/** See Transaction.mark. */
export interface TransactionMark {
  readonly usage: ReadonlyMap<string, Totals>;
  readonly groups: ReadonlyMap<GroupId, GroupChunks>;
  readonly changes: number;
}
