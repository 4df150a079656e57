import type { SqlDatabase } from "@cairn/env";
import {
  type ChunkId,
  chunkIdFromHash,
  type Entry,
  type Generation,
  type GroupId,
  generationOf,
  type Lease,
  type NodeCommandService,
  toHex,
  unwrap,
} from "@cairn/protocol";
import { expect } from "vitest";
import type { WrittenChunk } from "../../contracts.ts";
import { TestMetadata, type TestMetadataOptions } from "../../sql/testing/test-metadata.ts";
import { Collection, type CollectionRun } from "../collection.ts";
import type { CollectionWorld, Readiness } from "../collection-world.ts";
import { bytesOf, EngineNode } from "./engine-node.ts";

/** Metadata with nodes whose engines are real: what is committed here has its bytes on disks in memory. */
export class TestStorage implements AsyncDisposable {
  readonly metadata: TestMetadata;
  readonly nodes: readonly EngineNode[];
  hold: ReturnType<Readiness["hold"]>;
  #counter = 0;

  private constructor(metadata: TestMetadata, nodes: readonly EngineNode[]) {
    this.metadata = metadata;
    this.nodes = nodes;
  }

  static async open(options: TestMetadataOptions = {}): Promise<TestStorage> {
    const metadata = await TestMetadata.open(options);
    const nodes: EngineNode[] = [];
    for (const node of metadata.nodes) nodes.push(await EngineNode.open(metadata.cluster, node));
    const storage = new TestStorage(metadata, nodes);
    await storage.beat();
    return storage;
  }

  get database(): SqlDatabase {
    return this.metadata.cluster.database;
  }

  /** A collection over this metadata; a second one shares nothing with the first but the rows and the nodes. */
  collection(changes: Partial<CollectionWorld> = {}): Collection {
    const { store, cluster } = this.metadata;
    const nodes = (url: string): NodeCommandService => {
      const node = this.nodes.find((one) => one.node.url === url);
      if (!node) throw new Error(`no node at ${url}`);
      return node;
    };
    const readiness = { hold: () => this.hold };
    return new Collection({ env: cluster.env, store, core: cluster.core, nodes, readiness, ...changes });
  }

  /** One whole run; time passes while it pauses. */
  async run(collection: Collection): Promise<CollectionRun> {
    return await this.settle(collection.runNow(new AbortController().signal));
  }

  /** Lets time pass until the work has ended. */
  async settle<Result>(work: Promise<Result>): Promise<Result> {
    let ended = false;
    const end = (): void => {
      ended = true;
    };
    work.then(end, end);
    for (let turn = 0; turn < 50 && !ended; turn++) await Promise.resolve();
    while (!ended) await this.metadata.cluster.clock.advance(5);
    return await work;
  }

  /** Writes a chunk to all members of one of the lease's groups, as a writer does before it commits. */
  async write(content: number, options: { lease?: Lease; generation?: Generation } = {}): Promise<WrittenChunk> {
    const lease = options.lease ?? this.metadata.lease;
    const group = lease.groups[content % lease.groups.length];
    if (!group) throw new Error("the lease has no groups");
    const bytes = bytesOf(content);
    const id = chunkIdFromHash(await this.metadata.store.hasher.sha256(bytes));
    const generation = options.generation ?? generationOf(lease.id, this.#counter++);
    const claims = { id, generation, group: group.id, epoch: group.epoch, length: bytes.length };
    const receipts = [];
    for (const { disk } of group.members) {
      const node = this.nodeOf(disk);
      unwrap(await node.engine.put({ group: group.id, epoch: group.epoch, id, generation, bytes }));
      receipts.push(node.node.sign(claims));
    }
    return { id, length: bytes.length, group: group.id, written: { generation, receipts } };
  }

  nodeOf(disk: number): EngineNode {
    const node = this.nodes.find((one) => one.node.disk === disk);
    if (!node) throw new Error(`no node has disk ${disk}`);
    return node;
  }

  /** A file of freshly written chunks. */
  async file(name: string, contents: readonly number[]): Promise<{ entry: Entry; chunks: WrittenChunk[] }> {
    const chunks: WrittenChunk[] = [];
    for (const content of contents) chunks.push(await this.write(content));
    const { entry } = await this.metadata.commit(this.metadata.request(name, chunks));
    return { entry, chunks };
  }

  /** Removes a file for good and gives its references back. */
  async remove(entry: Entry): Promise<void> {
    await this.metadata.namespace.remove(this.metadata.commitId(), entry.id);
    await this.metadata.reclaim();
  }

  async closeLease(lease: Lease = this.metadata.lease): Promise<void> {
    await this.metadata.cluster.core.leases.close(lease.id);
  }

  async beat(): Promise<void> {
    for (const node of this.nodes) await node.beat();
  }

  /** Lets time pass at once, and the nodes that are there be heard again. */
  async pass(ms: number): Promise<void> {
    await this.metadata.cluster.clock.advance(ms);
    await this.beat();
  }

  /** How many disks have exactly this write. */
  async copiesOf(chunk: WrittenChunk): Promise<number> {
    const { id, group, written } = chunk;
    const held = await Promise.all(this.nodes.map((node) => node.has(group, id, written.generation)));
    return held.filter(Boolean).length;
  }

  async rows(text: string): Promise<Record<string, unknown>[]> {
    return await this.database.read((sql) => sql.all(text));
  }

  /** Every chunk that a version needs is on all members of its group in the generation of its row. */
  async expectNothingLost(): Promise<void> {
    const rows = await this.database.read((sql) =>
      sql.all<{ hash: Uint8Array; generation: number; grp: number }>(
        "SELECT hash, generation, grp FROM chunk WHERE refs > 0",
      ),
    );
    for (const row of rows) {
      const slots = this.metadata.cluster.core.map.group(row.grp as GroupId)?.slots ?? [];
      for (const { disk } of slots) {
        const there = await this.nodeOf(disk).has(
          row.grp as GroupId,
          toHex(row.hash) as ChunkId,
          row.generation as Generation,
        );
        expect(there, `chunk ${toHex(row.hash)} on disk ${disk}`).toBe(true);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.nodes) await node.engine[Symbol.asyncDispose]();
    await this.metadata[Symbol.asyncDispose]();
  }
}
