import type { Counter } from "@cairn/env";
import { type GroupId, isKind } from "@cairn/protocol";
import type { CollectionGate } from "../collection-gate.ts";
import type { CollectionWorld } from "../collection-world.ts";
import { CopyChecks } from "./copy-checks.ts";
import { ExtraCopies, type StrangeCopy } from "./extra-copies.ts";
import { ReconcileSchedule } from "./reconcile-schedule.ts";
import { addFindings, nothingFound, type ReconcileFindings, Reconciler } from "./reconciler.ts";

/** Compares groups when their time has come, and decides about copies on disks that are no members. */
export class ReconcileRounds {
  readonly #world: CollectionWorld;
  readonly #gate: CollectionGate;
  readonly #counters: Readonly<Record<"groups" | "orphans" | "missing", Counter>>;
  #parts: Promise<Parts> | undefined;

  constructor(world: CollectionWorld, gate: CollectionGate) {
    this.#world = world;
    this.#gate = gate;
    const { metrics } = world.env;
    this.#counters = {
      groups: metrics.counter("cairn_reconcile_groups_total", "Groups compared with the chunks that are needed."),
      orphans: metrics.counter("cairn_reconcile_orphans_total", "Left-overs of closed leases deleted, each copy."),
      missing: metrics.counter("cairn_reconcile_missing_total", "Copies found missing and queued for repair."),
    };
  }

  /** Groups whose time has come, or with `all` every group with a copy that differs. */
  async run(options: { readonly all: boolean }, signal: AbortSignal): Promise<ReconcileFindings> {
    const { schedule, reconciler, extra, checks } = await this.#load();
    await checks.forget(schedule.changed());
    let findings = nothingFound;
    for (const group of options.all ? schedule.differing() : schedule.due()) {
      if (signal.aborted || (await this.#gate.hold())) break;
      findings = addFindings(findings, await this.#one(reconciler, group, signal));
      schedule.tried(group);
      this.#counters.groups.add(1);
    }
    this.#counters.orphans.add(findings.orphans);
    this.#counters.missing.add(findings.missing);
    if (!signal.aborted && !(await this.#gate.hold())) await extra.decide(signal);
    return findings;
  }

  /** What a run would find; changes nothing, and sends nothing that writes. */
  async preview(signal: AbortSignal): Promise<{ found: ReconcileFindings; strange: readonly StrangeCopy[] }> {
    const { schedule, reconciler, extra } = await this.#load();
    let found = nothingFound;
    for (const group of schedule.differing()) found = addFindings(found, await reconciler.group(group, false, signal));
    return { found, strange: extra.list() };
  }

  /** Copies of groups that this database does not know: they are kept. */
  async unknownCopies(): Promise<number> {
    const { extra } = await this.#load();
    return extra.list().filter((copy) => !copy.known).length;
  }

  /** A node that fails in the middle of its answer costs its group this round, and nothing is concluded from it. */
  async #one(reconciler: Reconciler, group: GroupId, signal: AbortSignal): Promise<ReconcileFindings> {
    try {
      return await reconciler.group(group, true, signal);
    } catch (error) {
      if (isKind(error, "stale", "cancelled")) throw error;
      this.#world.env.log.warn({ err: error, group }, "a group could not be compared; it is tried again later");
      return nothingFound;
    }
  }

  #load(): Promise<Parts> {
    this.#parts ??= this.#open().catch((error: unknown) => {
      this.#parts = undefined;
      throw error;
    });
    return this.#parts;
  }

  async #open(): Promise<Parts> {
    const { core, store } = this.#world;
    const checks = await CopyChecks.load(store.database, core.leaderWrites);
    return {
      checks,
      schedule: new ReconcileSchedule(store.clock, core, checks),
      reconciler: new Reconciler(this.#world, this.#gate, checks),
      extra: new ExtraCopies(this.#world, this.#gate, checks),
    };
  }
}

interface Parts {
  readonly checks: CopyChecks;
  readonly schedule: ReconcileSchedule;
  readonly reconciler: Reconciler;
  readonly extra: ExtraCopies;
}
