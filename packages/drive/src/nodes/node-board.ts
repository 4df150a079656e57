import type { ChunkServiceAt, GroupMember, NodeId } from "@cairn/protocol";
import type { DriveEnv } from "../drive-env.ts";
import { NodePeer } from "./node-peer.ts";

const peersMax = 4096;

/** What is known about each storage node; shared by all reads and writes of a process. */
export class NodeBoard {
  readonly #env: DriveEnv;
  readonly #chunksAt: ChunkServiceAt;
  readonly #peers = new Map<NodeId, NodePeer>();

  constructor(env: DriveEnv, chunksAt: ChunkServiceAt) {
    this.#env = env;
    this.#chunksAt = chunksAt;
  }

  /** The node behind a member. A node that moved to another URL starts with a clean slate. */
  peer(member: Pick<GroupMember, "node" | "url">): NodePeer {
    const known = this.#peers.get(member.node);
    if (known?.url === member.url) return known;
    const peer = new NodePeer(this.#env, { id: member.node, url: member.url }, this.#chunksAt(member.url));
    this.#peers.delete(member.node);
    this.#peers.set(member.node, peer);
    for (const oldest of this.#peers.keys()) {
      if (this.#peers.size <= peersMax) break;
      this.#peers.delete(oldest);
    }
    return peer;
  }
}
