import type { Env } from "@cairn/env";
import {
  type ChunkId,
  type ExactChunk,
  type Generation,
  type GroupDigest,
  type GroupId,
  type InventoryPage,
  type NodeCommandService,
  type NodeIdentity,
  type Outcome,
  StorageError,
  toHex,
} from "@cairn/protocol";
import { MemoryDisk } from "@cairn/simulator";
import { DiskEngine, initialiseDisk } from "@cairn/storage-node";
import { CommandCheck } from "../../service/testing/command-check.ts";
import type { TestCluster, TestNode } from "../../service/testing/test-cluster.ts";

/** A node with a real engine on a disk in memory; commands reach it without a network, and only while it is not away. */
export class EngineNode implements NodeCommandService {
  readonly node: TestNode;
  engine: DiskEngine;
  away = false;
  /** Entries of one page of an inventory. */
  pageSize = 3;
  /** Called before a command is carried out; may wait, or throw to let the command fail. */
  before: (command: "delete" | "inventory", detail: unknown) => Promise<void> = async () => undefined;
  /** Called between taking a page of an inventory and answering it; may answer something else. */
  after: (page: InventoryPage) => Promise<InventoryPage> = async (page) => page;
  readonly commands: string[] = [];
  readonly #cluster: TestCluster;
  readonly #check: CommandCheck;

  private constructor(cluster: TestCluster, node: TestNode, engine: DiskEngine) {
    this.#cluster = cluster;
    this.node = node;
    this.#check = new CommandCheck(cluster, node.name);
    this.engine = engine;
  }

  static async open(cluster: TestCluster, node: TestNode): Promise<EngineNode> {
    return new EngineNode(cluster, node, await openEngine(cluster, node));
  }

  /** Puts an empty disk in place of the one that was there, under the same identity. */
  async wipe(): Promise<void> {
    await this.engine[Symbol.asyncDispose]();
    this.engine = await openEngine(this.#cluster, this.node);
  }

  /** A heartbeat with all groups on the disk. */
  async beat(): Promise<void> {
    if (this.away) return;
    await this.node.beat(this.engine.digests(), { everything: true });
  }

  async has(group: GroupId, id: ChunkId, generation: Generation): Promise<boolean> {
    const page = await this.engine.inventory(group, undefined, 100_000);
    return page.chunks.some((chunk) => chunk.id === id && chunk.generation === generation);
  }

  async deleteExact(chunks: readonly ExactChunk[], command: string): Promise<readonly Outcome<void>[]> {
    await this.before("delete", chunks);
    this.#authorise(command);
    this.commands.push("delete");
    return await this.engine.deleteExact(chunks);
  }

  async inventory(group: GroupId, cursor: string | undefined, command: string): Promise<InventoryPage> {
    await this.before("inventory", cursor);
    this.#authorise(command);
    this.commands.push("inventory");
    return await this.after(await this.engine.inventory(group, cursor, this.pageSize));
  }

  async digests(command: string): Promise<readonly GroupDigest[]> {
    this.#authorise(command);
    return this.engine.digests();
  }

  copyIn(): never {
    throw new StorageError("not-found", "copy chunks", "this node copies nothing");
  }
  async dropGroup(): Promise<void> {}
  async startScrub(): Promise<void> {}
  async startCompaction(): Promise<void> {}
  identity(): Promise<NodeIdentity> {
    throw new StorageError("not-found", "identify", "nobody asks");
  }

  /** As a node does: refuses a leader that was overtaken. */
  #authorise(command: string): void {
    if (this.away) throw new StorageError("unavailable", "send request", `${this.node.name} does not answer`);
    this.#check.assert(command);
  }
}

async function openEngine(cluster: TestCluster, node: TestNode): Promise<DiskEngine> {
  const disk = new MemoryDisk();
  const identity = { cluster: cluster.keys.cluster, node: node.name, disk: node.disk, uuid: node.uuid };
  await initialiseDisk(disk, identity);
  const env: Env = cluster.env;
  return await DiskEngine.open(env, disk, { expected: identity });
}

/** Bytes that depend on the number alone. */
export function bytesOf(content: number): Uint8Array {
  const bytes = new Uint8Array(40 + (content % 200));
  let state = (content * 2654435761 + 12345) >>> 0;
  for (let at = 0; at < bytes.length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

/** Hex of a hash's first bytes, for messages of tests. */
export function brief(hash: Uint8Array): string {
  return toHex(hash.subarray(0, 4));
}
