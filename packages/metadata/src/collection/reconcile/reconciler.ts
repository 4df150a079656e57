import { type ExactChunk, type GroupId, hashOfChunkId, limits, recordDigest, spellDigest } from "@cairn/protocol";
import type { CollectionGate } from "../collection-gate.ts";
import type { CollectionWorld } from "../collection-world.ts";
import { deleteOn, type Reachable, reachableNodes } from "../group-members.ts";
import { addToTally } from "../tally.ts";
import type { CopyChecks, CopyName } from "./copy-checks.ts";
import { CopyCompare, type CopyDifference } from "./copy-compare.ts";
import { isSameSum, reportedSum } from "./copy-sum.ts";
import { tableDigest } from "./group-rows.ts";
import { type HeldRecord, InventoryWalk } from "./inventory-walk.ts";
import { missingAtOnce, queueMissing, WantedRecords } from "./missing.ts";
import { noteOlderDatabase } from "./older-database.ts";
import { judgeStrays } from "./orphans.ts";

/** What a comparison found, and did if it was to act. Chunks and bytes of each copy are counted. */
export interface ReconcileFindings {
  readonly orphans: number;
  readonly orphanBytes: number;
  /** Copies whose repair was queued. */
  readonly missing: number;
  /** Left-overs of leases that are open, or that this database does not know: they are kept. */
  readonly undecided: number;
  /** Members that were not compared because they cannot be reached or have not told of themselves. */
  readonly skipped: number;
}

/** Of no comparison. */
export const nothingFound: ReconcileFindings = { orphans: 0, orphanBytes: 0, missing: 0, undecided: 0, skipped: 0 };
const pauseMs = 5;

/**
 * Compares copies of groups with the table, one group at a time. First by digest, which costs the nodes nothing; then, for
 * a copy that differs, by its inventory. What is on a disk without a row goes only when no commit can bring a row any more;
 * what a row names and a disk lacks is repaired, and never concluded from an inventory that was not all of it.
 */
export class Reconciler {
  readonly #world: CollectionWorld;
  readonly #gate: CollectionGate;
  readonly #checks: CopyChecks;

  constructor(world: CollectionWorld, gate: CollectionGate, checks: CopyChecks) {
    this.#world = world;
    this.#gate = gate;
    this.#checks = checks;
  }

  /** Compares the copies of one group. With `act` false it changes nothing anywhere. Throws as the gate and the nodes do. */
  async group(group: GroupId, act: boolean, signal: AbortSignal): Promise<ReconcileFindings> {
    const { core, store } = this.#world;
    const slots = core.map.group(group)?.slots.filter((slot) => slot.state !== "joining") ?? [];
    const wanted = await tableDigest(store.database, group, () => this.#pause(signal));
    let findings = nothingFound;
    for (const { disk } of slots) {
      const sum = reportedSum(core, { group, disk });
      const [node] = reachableNodes(this.#world, [disk]) ?? [];
      if (!sum || !node) findings = addFindings(findings, { ...nothingFound, skipped: 1 });
      else if (isSameSum(sum, wanted)) await this.#noteWhole({ group, disk }, act ? sum.digest : undefined);
      else findings = addFindings(findings, await this.#copy({ group, disk }, { node, act }, signal));
      if (signal.aborted) break;
    }
    return findings;
  }

  async #noteWhole(copy: CopyName, digest: string | undefined): Promise<void> {
    if (digest === undefined || this.#checks.of(copy)?.checkedDigest === digest) return;
    await this.#checks.note([{ ...copy, digest }], this.#world.store.clock.now());
  }

  async #copy(
    copy: CopyName,
    { node, act }: { readonly node: Reachable; readonly act: boolean },
    signal: AbortSignal,
  ): Promise<ReconcileFindings> {
    const { core, store } = this.#world;
    const before = reportedSum(core, copy);
    const walk = this.#walk(copy, node);
    const difference = await new CopyCompare(store.database, copy.group).run(walk, signal);
    const whole = [before, reportedSum(core, copy)].some((sum) => sum && isSameSum(sum, walk.sum));
    const strays = await this.#strays(copy, { node, act, strays: difference.strays }, signal);
    const missing = whole && act ? await this.#missing(copy, { node, difference }, signal) : 0;
    if (act) await this.#note(copy, { difference, whole, kept: strays.kept });
    return { orphans: strays.orphans, orphanBytes: strays.bytes, missing, undecided: strays.undecided, skipped: 0 };
  }

  #walk(copy: CopyName, node: Reachable): InventoryWalk {
    const { core, nodes } = this.#world;
    return new InventoryWalk({
      group: copy.group,
      commands: nodes(node.url),
      command: () => core.signer.command(node.node),
    });
  }

  /** Judges strays a batch at a time, and has orphans deleted. `kept`: XOR of what stays for good reasons. */
  async #strays(
    copy: CopyName,
    work: { readonly node: Reachable; readonly act: boolean; readonly strays: readonly HeldRecord[] },
    signal: AbortSignal,
  ): Promise<{ orphans: number; bytes: number; undecided: number; kept: bigint }> {
    const { group } = copy;
    const { store } = this.#world;
    const total = { orphans: 0, bytes: 0, undecided: 0, kept: 0n };
    for (let start = 0; start < work.strays.length && !signal.aborted; start += limits.commitEntriesMax) {
      const batch = work.strays.slice(start, start + limits.commitEntriesMax);
      const verdict = await store.database.read(async (sql) => {
        if (work.act) await this.#gate.guard(sql);
        return await judgeStrays(sql, group, batch);
      });
      const { ungiven } = verdict;
      if (work.act && ungiven !== undefined) {
        await noteOlderDatabase(this.#world, { lease: ungiven, subject: work.node.node });
        // Throws from now on: what was decided a moment ago was decided by a database that has forgotten things.
        await store.database.read((sql) => this.#gate.guard(sql));
      }
      const deleted = work.act
        ? await this.#delete(copy, work.node, { orphans: verdict.orphans, signal })
        : verdict.orphans;
      total.orphans += deleted.length;
      total.bytes += deleted.reduce((sum, record) => sum + record.length, 0);
      total.undecided += verdict.undecided.length + verdict.orphans.length - deleted.length;
      for (const record of [...verdict.condemned, ...verdict.named]) {
        total.kept ^= recordDigest(hashOfChunkId(record.id), record.generation);
      }
      await this.#pause(signal);
    }
    return total;
  }

  async #delete(
    { group }: CopyName,
    node: Reachable,
    { orphans, signal }: { readonly orphans: readonly HeldRecord[]; readonly signal: AbortSignal },
  ): Promise<readonly HeldRecord[]> {
    if (orphans.length === 0) return [];
    const chunks = orphans.map(({ id, generation }): ExactChunk => ({ group, id, generation }));
    const acknowledged = await deleteOn(this.#world, { targets: [node], chunks }, signal);
    const deleted = orphans.filter((_, index) => acknowledged.has(chunks[index] as ExactChunk));
    await this.#world.store.queue.submit((tx) => addToTally(tx.sql, { orphansDeleted: deleted.length }));
    return deleted;
  }

  /** Looks a second time at what was missing, in an inventory that is taken after its rows were read, and queues the rest. */
  async #missing(
    copy: CopyName,
    { node, difference }: { readonly node: Reachable; readonly difference: CopyDifference },
    signal: AbortSignal,
  ): Promise<number> {
    if (difference.missing.length === 0) return 0;
    const found = new WantedRecords(difference.missing);
    for await (const { records } of this.#walk(copy, node).pages(signal)) found.see(records);
    const missing = difference.missing.filter((record) => !found.has(record));
    let queued = 0;
    for (let start = 0; start < missing.length && !signal.aborted; start += missingAtOnce) {
      const batch = missing.slice(start, start + missingAtOnce);
      queued += await this.#world.store.queue.submit(async (tx) => {
        await this.#gate.guard(tx.sql);
        return await queueMissing(tx, copy, batch);
      }, batch.length);
      await this.#pause(signal);
    }
    if (queued > 0) await this.#tellMissing(copy, node, queued);
    return queued;
  }

  async #tellMissing({ group, disk }: CopyName, { node }: Reachable, queued: number): Promise<void> {
    await this.#world.core.events.tell({
      severity: "warning",
      kind: "copies.missing",
      subject: node,
      message: `disk ${disk} of ${node} lacks ${queued} chunks of group ${group}; they are copied to it again`,
      details: { node, disk, group, chunks: queued },
    });
  }

  /** Whole as it will be when only what is named is left: while there is more its digest is another, and it is looked at again. */
  async #note(
    copy: CopyName,
    {
      difference,
      whole,
      kept,
    }: { readonly difference: CopyDifference; readonly whole: boolean; readonly kept: bigint },
  ): Promise<void> {
    const sound = whole && !difference.cut && difference.missing.length === 0;
    const digest = sound ? spellDigest(difference.namedXor ^ kept) : undefined;
    await this.#checks.note([{ ...copy, digest }], this.#world.store.clock.now());
  }

  async #pause(signal: AbortSignal): Promise<void> {
    await this.#world.store.clock.sleep(pauseMs, signal);
  }
}

/** Findings of two comparisons together. */
export function addFindings(one: ReconcileFindings, other: ReconcileFindings): ReconcileFindings {
  return {
    orphans: one.orphans + other.orphans,
    orphanBytes: one.orphanBytes + other.orphanBytes,
    missing: one.missing + other.missing,
    undecided: one.undecided + other.undecided,
    skipped: one.skipped + other.skipped,
  };
}
