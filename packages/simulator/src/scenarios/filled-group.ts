import type { CommittedChunk, GroupId, Lease, NodeId } from "@cairn/protocol";
import type { RawChunk } from "../workload/raw-client.ts";
import type { NodeHost } from "../world/node-host.ts";
import type { Scene } from "./scene.ts";

const renewEveryMs = 20_000;

/** A chunk that nodes have, and what they gave for it. */
export interface Sent {
  readonly chunk: RawChunk;
  readonly told: CommittedChunk;
}

/** A group with chunks of one lease in it, and the machines of its members. */
export interface Filled {
  readonly group: GroupId;
  readonly lease: Lease;
  readonly sent: readonly Sent[];
  readonly leaving: NodeHost;
  readonly staying: NodeHost;
}

/** Sends so many chunks into one group. */
export async function filled(scene: Scene, chunks: number): Promise<Filled> {
  const lease = await scene.do(scene.raw.open());
  const [group] = lease.groups;
  const [one, other] = group?.members ?? [];
  if (!group || !one || !other) throw new Error("a group has two members");
  const sent: Sent[] = [];
  while (sent.length < chunks) {
    const chunk = scene.raw.newChunk();
    sent.push({ chunk, told: await scene.do(scene.raw.send(lease, chunk)) });
  }
  return { group: group.id, lease, sent, leaving: hostOf(scene, one.node), staying: hostOf(scene, other.node) };
}

/** The same, with every chunk committed as a file of its own. */
export async function committed(scene: Scene, chunks: number): Promise<Filled> {
  const it = await filled(scene, chunks);
  for (const [index, one] of it.sent.entries()) {
    await scene.do(scene.raw.commit({ ...one, lease: it.lease, name: `file-${index}` }));
  }
  return it;
}

/** The machine on which a node runs. */
export function hostOf({ nodes }: Scene, node: NodeId): NodeHost {
  const host = nodes.find((one) => one.node?.node === node);
  if (!host) throw new Error(`no machine has ${node}`);
  return host;
}

/** Begins to empty a node, or ends that. */
export async function change(scene: Scene, host: NodeHost, kind: "drain" | "undrain"): Promise<void> {
  const { opened } = scene.world.metadata;
  const node = host.node?.node;
  if (!opened || node === undefined) throw new Error("the metadata server and the node run");
  await scene.do(opened.operations.applyChange({ kind, node }));
}

/** Bytes a second that repair may write to one disk. */
export async function setRate({ world }: Scene, bytes: number): Promise<void> {
  const { opened } = world.metadata;
  if (opened) await world.timeline.run(opened.operations.changeSettings({ "repair.rate": bytes }), 60_000);
}

/** Finds a row once a move of the group is complete. */
export const hasMoved = "SELECT 1 AS found FROM extra_copy WHERE grp = ?";

/** The machine of the disk that takes part in the move of a group. */
export async function newMember(scene: Scene, { group }: Filled): Promise<NodeHost> {
  const [row] = await scene.rows<{ node: NodeId }>(
    `SELECT node FROM disk WHERE id = (SELECT to_disk FROM group_move WHERE grp = ?)
     OR id IN (SELECT disk FROM grp_slot WHERE grp = ? AND epoch > 1)`,
    group,
    group,
  );
  if (!row) throw new Error("a disk has joined the group");
  return hostOf(scene, row.node);
}

/** The disk has nothing of the group any more when its process starts again. */
export function loseGroup(host: NodeHost, group: GroupId): void {
  host.kill();
  for (const { platter } of host.disks) {
    const { files, folders } = platter.image();
    const stays = (path: string): boolean => path !== `g/${group}` && !path.startsWith(`g/${group}/`);
    platter.restore({
      files: new Map([...files].filter(([path]) => stays(path))),
      folders: new Set([...folders].filter(stays)),
    });
  }
  host.start();
}

/** A bit of each of these chunks turns over wherever the machine has it. */
export function spoil(host: NodeHost, chunks: readonly RawChunk[]): void {
  for (const { platter } of host.disks) {
    for (const path of platter.paths()) {
      const body = path.endsWith(".seg") ? platter.file(path) : undefined;
      const all = Buffer.from(body?.toBytes() ?? []);
      for (const { bytes } of chunks) {
        const at = all.indexOf(bytes);
        if (at >= 0) body?.flip((at + bytes.length / 2) * 8);
      }
    }
  }
}

/** The lease stays open until the story ends. */
export function keepOpen(scene: Scene, lease: Lease): void {
  scene.raw.renew(lease).catch(() => undefined);
  scene.world.timeline.after(renewEveryMs, () => keepOpen(scene, lease));
}

/** All disks are read from end to end. */
export async function scrub({ world }: Scene): Promise<void> {
  const { opened } = world.metadata;
  if (opened) await world.timeline.run(opened.operations.startScrub(), 60_000);
}
