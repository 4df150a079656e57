import type { Hasher, Sql } from "@cairn/env";
import {
  type DiskId,
  type GroupId,
  limits,
  type Mac,
  type NodeId,
  type Receipt,
  receiptIsGenuine,
  StorageError,
} from "@cairn/protocol";
import type { ClusterMap } from "../cluster/cluster-map.ts";
import type { ReceiptJudge, WrittenChunk } from "../contracts.ts";

interface GroupNow {
  readonly epoch: number;
  /** How many copies a chunk of it is written with at least. */
  readonly copies: number;
}

interface NodeMac {
  readonly key: Uint8Array;
  readonly mac: Mac;
}

/**
 * Verifies the receipts of a written chunk. A node signs a receipt only for a group, epoch and disk that a token of ours
 * named, so a genuine receipt of an earlier epoch proves that the disk was a member at that epoch.
 */
export class ReceiptVerifier implements ReceiptJudge {
  readonly #hasher: Hasher;
  readonly #map: ClusterMap;
  readonly #macs = new Map<NodeId, NodeMac>();

  constructor(hasher: Hasher, map: ClusterMap) {
    this.#hasher = hasher;
    this.#map = map;
  }

  /**
   * Throws unauthenticated (not genuine), invalid (too few, or not from distinct members of the group), not-found, chunk-gone
   * (not enough of the disks that took the chunk have been members ever since).
   */
  async judge(sql: Sql, chunk: WrittenChunk, copies: number): Promise<{ readonly stale: boolean }> {
    const group = await groupNow(sql, chunk.group);
    if (!group) throw new StorageError("not-found", "check receipts", `group ${chunk.group}`);
    const { receipts } = chunk.written;
    const epoch = receipts[0]?.epoch ?? group.epoch;
    // The drive may have been given more copies since; its groups follow in the background.
    const needed = Math.min(copies, group.copies);
    this.#assertSpread(chunk, { needed, epoch, currentEpoch: group.epoch });
    for (const receipt of receipts) {
      const node = this.#map.disk(receipt.disk)?.node;
      const mac = node && this.#macOf(node);
      const claims = {
        id: chunk.id,
        generation: chunk.written.generation,
        group: chunk.group,
        epoch,
        length: chunk.length,
        disk: receipt.disk,
      };
      if (!mac || !receiptIsGenuine(claims, receipt, mac)) {
        throw new StorageError(
          "unauthenticated",
          "check receipts",
          `the receipt of disk ${receipt.disk} is not genuine`,
          {
            hint: "Send the chunk again and commit with the receipts that the storage nodes answer with.",
            details: { chunk: chunk.id, disk: receipt.disk },
          },
        );
      }
    }
    if (epoch < group.epoch) await assertStillHeld(sql, chunk, { epoch, needed });
    return { stale: epoch < group.epoch };
  }

  /** Before the signatures, because it costs less. */
  #assertSpread(
    chunk: WrittenChunk,
    { needed, epoch, currentEpoch }: { readonly needed: number; readonly epoch: number; readonly currentEpoch: number },
  ): void {
    const { receipts } = chunk.written;
    const wrong = (why: string): StorageError =>
      new StorageError("invalid", "check receipts", `chunk ${chunk.id}: ${why}`, {
        hint: `A commit needs receipts of ${needed} members of one group at one epoch.`,
        details: { chunk: chunk.id },
      });
    if (receipts.length > limits.copiesMax) throw wrong(`${receipts.length} receipts`);
    if (receipts.some((receipt) => receipt.epoch !== epoch)) throw wrong("the receipts are of different epochs");
    if (epoch > currentEpoch) throw wrong(`the group has never had epoch ${epoch}`);
    const nodes = new Set(receipts.map((receipt) => this.#map.disk(receipt.disk)?.node ?? `of disk ${receipt.disk}`));
    if (nodes.size < needed) throw wrong(`${receipts.length} receipts of disks on ${nodes.size} nodes`);
    if (epoch === currentEpoch) this.#assertMembers(chunk.group, receipts, wrong);
  }

  #assertMembers(group: GroupId, receipts: readonly Receipt[], wrong: (why: string) => StorageError): void {
    const members = new Set<DiskId>(this.#map.group(group)?.slots.map((slot) => slot.disk));
    for (const { disk } of receipts) {
      if (!members.has(disk)) throw wrong(`disk ${disk} is not a member of group ${group}`);
    }
  }

  #macOf(node: NodeId): Mac | undefined {
    const key = this.#map.node(node)?.receiptKey;
    if (!key) return undefined;
    const cached = this.#macs.get(node);
    if (cached?.key === key) return cached.mac;
    const mac: Mac = (message) => this.#hasher.hmac(key, message);
    this.#macs.set(node, { key, mac });
    return mac;
  }
}

/** A group is sealed by the first change of its copies, so that all its chunks are written with those it was made with. */
async function groupNow(sql: Sql, group: GroupId): Promise<GroupNow | undefined> {
  const row = await sql.get<{ epoch: number; copies: number; copies_written: number | null }>(
    "SELECT epoch, copies, copies_written FROM grp WHERE id = ?",
    group,
  );
  return row && { epoch: row.epoch, copies: Math.min(row.copies, row.copies_written ?? row.copies) };
}

/**
 * A disk that left its group may have dropped its copy, also of what was not committed yet, and a new one may lack it.
 * Only disks that have been members ever since they took the chunk count as copies.
 */
async function assertStillHeld(
  sql: Sql,
  chunk: WrittenChunk,
  { epoch, needed }: { readonly epoch: number; readonly needed: number },
): Promise<void> {
  const slots = await sql.all<{ disk: number }>(
    "SELECT disk FROM grp_slot WHERE grp = ? AND epoch <= ? AND state <> 1",
    chunk.group,
    epoch,
  );
  const stayed = new Set<number>(slots.map((slot) => slot.disk));
  const held = new Set(chunk.written.receipts.map(({ disk }) => disk).filter((disk) => stayed.has(disk)));
  if (held.size >= needed) return;
  throw mustBeSentAgain(
    chunk,
    `${held.size} of the disks that took chunk ${chunk.id} are members still, not ${needed}`,
  );
}

function mustBeSentAgain(chunk: WrittenChunk, why: string): StorageError {
  return new StorageError("chunk-gone", "check receipts", why, {
    hint: "Send the chunk again and repeat the commit with its receipts.",
    details: { chunks: [chunk.id] },
  });
}
