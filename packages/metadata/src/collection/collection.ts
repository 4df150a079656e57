import type { Counter, Sql } from "@cairn/env";
import type { CollectionPreview, CollectionStatus } from "@cairn/protocol";
import { condemn } from "../commit/condemn.ts";
import type { MaintenanceJob } from "../service/maintenance.ts";
import { type AuditReport, ReferenceAudit } from "./audit/reference-audit.ts";
import { CollectionGate, type CollectionHold } from "./collection-gate.ts";
import { previewCollection } from "./collection-preview.ts";
import type { CollectionWorld } from "./collection-world.ts";
import { CondemnedDeletion } from "./condemned-deletion.ts";
import { countGarbage, type GarbageCounts } from "./garbage-counts.ts";
import { ReconcileRounds } from "./reconcile/reconcile-rounds.ts";
import { nothingFound } from "./reconcile/reconciler.ts";
import { noteTime, readTally } from "./tally.ts";

/** What one run did. */
export interface CollectionRun {
  readonly condemnedChunks: number;
  readonly deletedChunks: number;
  readonly deletedBytes: number;
  /** Left-overs of closed leases, each copy. */
  readonly orphansDeleted: number;
  /** Copies found missing and queued for repair. */
  readonly missingCopies: number;
}

/** Chunks condemned in one transaction. */
const condemnedAtOnce = 1000;
/** Wait between two transactions, so that users' changes come between. */
const pauseMs = 5;
/** How often it is looked whether a run is due; the pause between two is a setting. */
const lookMs = 1000;
const reconcileLookMs = 5000;
const auditLookMs = 60_000;

/**
 * Finds what nobody needs and has it deleted: condemns chunks without references after their grace, has every member
 * delete exactly these writes, and forgets them (storage-design §2). Nothing here is needed for safety, and a clock only
 * decides when it is tried.
 */
export class Collection {
  readonly #world: CollectionWorld;
  readonly #gate: CollectionGate;
  readonly #deletion: CondemnedDeletion;
  readonly #reconcile: ReconcileRounds;
  readonly #audit: ReferenceAudit;
  readonly #deleted: Counter;
  readonly #deletedBytes: Counter;
  #turn: Promise<unknown> = Promise.resolve();
  #running = false;
  /** Monotonic ms of the end of the last run. */
  #endedAt: number = Number.NEGATIVE_INFINITY;

  constructor(world: CollectionWorld) {
    this.#world = world;
    this.#gate = new CollectionGate(world);
    this.#deletion = new CondemnedDeletion(world, this.#gate);
    this.#reconcile = new ReconcileRounds(world, this.#gate);
    this.#audit = new ReferenceAudit(world, this.#gate);
    const { metrics } = world.env;
    this.#deleted = metrics.counter("cairn_collect_deleted_chunks_total", "Chunks deleted from all their nodes.");
    this.#deletedBytes = metrics.counter("cairn_collect_deleted_bytes_total", "Bytes of those chunks, each once.");
  }

  /** Hand it to startMaintenance. */
  jobs(): readonly MaintenanceJob[] {
    return [
      { name: "collect", everyMs: lookMs, run: (signal) => this.#runIfDue(signal) },
      { name: "reconcile", everyMs: reconcileLookMs, run: (signal) => this.#compareDue(signal) },
      { name: "audit", everyMs: auditLookMs, run: (signal) => this.#auditIfDue(signal) },
    ];
  }

  /**
   * One whole run, with all groups that differ compared. The graces stay as they are set. Throws unavailable while nothing
   * may be deleted.
   */
  runNow(signal: AbortSignal): Promise<CollectionRun> {
    return this.#inTurn(() => this.#run(signal, { compareAll: true }));
  }

  /** What a run would delete, and why. It asks nodes for lists and changes nothing. */
  preview(signal: AbortSignal = new AbortController().signal): Promise<CollectionPreview> {
    return previewCollection(this.#world, { gate: this.#gate, reconcile: this.#reconcile }, signal);
  }

  /** Counts all references anew and mends them; see ReferenceAudit. */
  audit(signal: AbortSignal): Promise<AuditReport> {
    return this.#inTurn(() => this.#audit.run(signal));
  }

  async status(): Promise<CollectionStatus> {
    const { store } = this.#world;
    const hold = await this.#gate.hold();
    const unknown = await this.#reconcile.unknownCopies();
    const [counts, tally] = await store.database.read(async (sql) => [await countGarbage(sql), await readTally(sql)]);
    return {
      ...this.#state(hold, counts, unknown),
      inGraceChunks: counts.unreferenced.chunks,
      inGraceBytes: counts.unreferenced.bytes,
      condemnedChunks: counts.condemned.chunks,
      orphansDeleted: tally.orphansDeleted,
      deletedChunks: tally.deletedChunks,
      deletedBytes: tally.deletedBytes,
      lastRunAt: tally.lastRunAt || undefined,
      lastAuditAt: tally.lastAuditAt || undefined,
    };
  }

  #state(
    hold: CollectionHold | undefined,
    counts: GarbageCounts,
    unknown: number,
  ): Pick<CollectionStatus, "state" | "reason"> {
    if (hold) return hold;
    if (this.#running) return { state: "running", reason: "a run is under way" };
    const waiting =
      counts.condemned.chunks > 0
        ? "condemned chunks wait for their nodes or for the end of their lease"
        : "nothing is due";
    const kept = unknown > 0 ? `; ${unknown} copies of groups that this cluster does not know are kept` : "";
    return { state: "idle", reason: waiting + kept };
  }

  async #runIfDue(signal: AbortSignal): Promise<void> {
    const { core, store } = this.#world;
    if (store.clock.monotonic() - this.#endedAt < core.settings.get("collect.every")) return;
    if (await this.#gate.hold()) return;
    await this.#inTurn(() => this.#run(signal, { compareAll: false }));
  }

  async #compareDue(signal: AbortSignal): Promise<void> {
    if (await this.#gate.hold()) return;
    await this.#inTurn(() => this.#reconcile.run({ all: false }, signal));
  }

  /** The first one comes when the cluster has been there for as long as the pause between two. */
  async #auditIfDue(signal: AbortSignal): Promise<void> {
    const { core, store } = this.#world;
    if (await this.#gate.hold()) return;
    const last = await store.database.read(async (sql) => (await readTally(sql)).lastAuditAt || (await madeAt(sql)));
    const since = store.clock.now() - last;
    // A clock that was put back must not keep references from being counted.
    if (since < 0 || since >= core.settings.get("collect.audit-every")) await this.audit(signal);
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #run(signal: AbortSignal, { compareAll }: { readonly compareAll: boolean }): Promise<CollectionRun> {
    const { core, store } = this.#world;
    this.#running = true;
    try {
      await store.database.read((sql) => this.#gate.guard(sql));
      const condemnedChunks = await this.#condemn(signal);
      const { chunks, bytes } = await this.#deletion.run(signal);
      this.#deleted.add(chunks);
      this.#deletedBytes.add(bytes);
      const found = compareAll ? await this.#reconcile.run({ all: true }, signal) : nothingFound;
      const run = {
        condemnedChunks,
        deletedChunks: chunks,
        deletedBytes: bytes,
        orphansDeleted: found.orphans,
        missingCopies: found.missing,
      };
      await store.queue.submit((tx) => noteTime(tx.sql, "lastRunAt", tx.now));
      if (condemnedChunks + chunks + found.orphans + found.missing > 0) await core.events.tell(runEvent(run));
      return run;
    } finally {
      this.#running = false;
      this.#endedAt = store.clock.monotonic();
    }
  }

  async #condemn(signal: AbortSignal): Promise<number> {
    const { core, store } = this.#world;
    let condemned = 0;
    while (!signal.aborted) {
      const chunks = await condemn(store, condemnedAtOnce, {
        graceMs: core.settings.get("collect.grace"),
        now: this.#gate.now(),
        guard: (tx) => this.#gate.guard(tx.sql),
      });
      condemned += chunks.length;
      if (chunks.length < condemnedAtOnce) break;
      await store.clock.sleep(pauseMs, signal);
    }
    return condemned;
  }
}

async function madeAt(sql: Sql): Promise<number> {
  const row = await sql.get<{ value: string }>("SELECT value FROM cluster WHERE name = 'created_at'");
  return Number(row?.value ?? 0);
}

function runEvent(run: CollectionRun): Parameters<CollectionWorld["core"]["events"]["tell"]>[0] {
  return {
    severity: "info",
    kind: "collection.run",
    subject: "cluster",
    message: `${run.condemnedChunks} chunks condemned, ${run.deletedChunks} deleted from all their nodes, ${run.orphansDeleted} left-overs deleted`,
    details: { ...run },
  };
}
