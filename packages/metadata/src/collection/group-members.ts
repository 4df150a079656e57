import type { Sql } from "@cairn/env";
import { type DiskId, type ExactChunk, type GroupId, isKind, limits, type NodeId } from "@cairn/protocol";
import type { CollectionWorld } from "./collection-world.ts";

/** The members of a group at one moment. */
export interface Membership {
  readonly epoch: number;
  readonly disks: readonly DiskId[];
}

/** In the caller's snapshot; undefined when there is no such group. */
export async function membershipIn(sql: Sql, group: GroupId): Promise<Membership | undefined> {
  const row = await sql.get<{ epoch: number }>("SELECT epoch FROM grp WHERE id = ?", group);
  if (!row) return undefined;
  const slots = await sql.all<{ disk: number }>("SELECT disk FROM grp_slot WHERE grp = ? ORDER BY disk", group);
  return { epoch: row.epoch, disks: slots.map((slot) => slot.disk as DiskId) };
}

/** True when nobody has joined or left between the two moments. */
export function isSameMembership(one: Membership | undefined, other: Membership | undefined): boolean {
  return one !== undefined && one.epoch === other?.epoch && one.disks.join() === other.disks.join();
}

/** A node as commands reach it. */
export interface Reachable {
  readonly node: NodeId;
  readonly url: string;
}

/** The nodes of these disks; undefined when one of them cannot be reached now or its disk has failed. */
export function reachableNodes(
  { core }: Pick<CollectionWorld, "core">,
  disks: readonly DiskId[],
): readonly Reachable[] | undefined {
  const nodes = new Map<NodeId, Reachable>();
  for (const id of disks) {
    const disk = core.map.disk(id);
    const node = disk && core.map.node(disk.node);
    if (!node || disk.state === "failed" || core.health.health(node.node) !== "online") return undefined;
    nodes.set(node.node, node);
  }
  return [...nodes.values()];
}

/**
 * Sends exact deletes to all of the nodes and tells which chunks every one of them has acknowledged. What a node refuses
 * or does not answer is simply not acknowledged.
 */
export async function deleteOn(
  { core, nodes, env }: Pick<CollectionWorld, "core" | "nodes" | "env">,
  { targets, chunks }: { readonly targets: readonly Reachable[]; readonly chunks: readonly ExactChunk[] },
  signal: AbortSignal,
): Promise<ReadonlySet<ExactChunk>> {
  const acknowledged = new Set<ExactChunk>();
  for (let start = 0; start < chunks.length; start += limits.commitEntriesMax) {
    const batch = chunks.slice(start, start + limits.commitEntriesMax);
    const answers = await Promise.all(
      targets.map(async ({ node, url }) => {
        try {
          return await nodes(url).deleteExact(batch, core.signer.command(node), signal);
        } catch (error) {
          if (isKind(error, "cancelled")) throw error;
          env.log.warn({ err: error, node }, "a node did not take a delete; it is told again with the next run");
          return [];
        }
      }),
    );
    batch.forEach((chunk, index) => {
      if (answers.every((outcomes) => outcomes[index]?.ok)) acknowledged.add(chunk);
    });
  }
  return acknowledged;
}
