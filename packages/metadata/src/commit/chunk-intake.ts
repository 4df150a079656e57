import { encodeManifest, type LeaseId, type ManifestEntry, manifestEntryBytes } from "@cairn/protocol";
import type { LeaseGate, ReceiptJudge } from "../contracts.ts";
import type { Transaction } from "../sql/transaction.ts";
import { type ChunkUse, checkChunks, healLost, type TakenChunk, takeChunks } from "./chunk-ledger.ts";
import type { ChunkPlan } from "./chunk-plan.ts";

/** Priority of a chunk that may be missing on one member: below those with fewer good copies. */
const staleEpochPriority = 2;

/** Takes chunks into manifests: leases, receipts, references. One for commits and for parts of uploads. */
export class ChunkIntake {
  readonly #leases: LeaseGate;
  readonly #receipts: ReceiptJudge;

  constructor(leases: LeaseGate, receipts: ReceiptJudge) {
    this.#leases = leases;
    this.#receipts = receipts;
  }

  /** Throws stale unless every lease is open in this transaction (I3). */
  async checkLeases(tx: Transaction, leases: readonly LeaseId[]): Promise<void> {
    for (const lease of leases) {
      if (tx.openLeases.has(lease)) continue;
      await this.#leases.assertOpen(tx.sql, lease);
      tx.openLeases.add(lease);
    }
  }

  /**
   * Judges the receipts and looks whether all chunks can be taken; writes nothing. The answer names the chunks whose group
   * has changed since they were written. Throws unauthenticated, not-found, chunk-gone, invalid.
   */
  async check(tx: Transaction, plan: ChunkPlan, copies: number): Promise<readonly ChunkUse[]> {
    const stale: ChunkUse[] = [];
    for (const use of plan.uses) {
      if (!use.written) continue;
      const verdict = await this.#receipts.judge(tx.sql, use.written, copies);
      if (verdict.stale) stale.push(use);
    }
    await checkChunks(tx, plan.uses);
    return stale;
  }

  /** Adds the references; the answer is the encoded manifest with the group that each chunk really lives in. */
  async take(tx: Transaction, plan: ChunkPlan, stale: readonly ChunkUse[]): Promise<Uint8Array> {
    const taken = await takeChunks(tx, plan.uses);
    for (const use of stale) {
      if (taken.get(use.id)?.ours) await queueRepair(tx, use);
    }
    return encodeManifest(plan.chunks.map((chunk) => withGroup(chunk, taken.get(chunk.id))));
  }

  /** Lets a commit that changes nothing else bring back what was lost. */
  async heal(tx: Transaction, plan: ChunkPlan, stale: readonly ChunkUse[]): Promise<void> {
    const revived = await healLost(tx, plan.uses);
    for (const use of stale) if (revived.has(use.id)) await queueRepair(tx, use);
  }
}

function withGroup(chunk: ManifestEntry, taken: TakenChunk | undefined): ManifestEntry {
  return taken === undefined || taken.group === chunk.group ? chunk : { ...chunk, group: taken.group };
}

/** The group's members changed between the write and the commit: one of them may not have the chunk (§2, step 5d). */
async function queueRepair(tx: Transaction, use: ChunkUse): Promise<void> {
  if (!use.written) return;
  await tx.run(
    `INSERT INTO repair (grp, hash, generation, disk, priority, reason, created_at) VALUES (?, ?, ?, 0, ?, ?, ?)
     ON CONFLICT (grp, hash, generation, disk) DO NOTHING`,
    use.written.group,
    use.hash,
    use.written.written.generation,
    staleEpochPriority,
    "stale",
    tx.now,
  );
}

/** Number of entries of an encoded manifest. */
export function entriesOf(manifest: Uint8Array): number {
  return manifest.length / manifestEntryBytes;
}
