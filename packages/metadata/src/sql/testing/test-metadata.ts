import type { SqlDatabase } from "@cairn/env";
import {
  type ChunkId,
  type CommitId,
  type CommitRequest,
  type CommitResult,
  type CommitTarget,
  type CommittedChunk,
  chunkIdFromHash,
  type Drive,
  type Entry,
  type EntryId,
  generationOf,
  type Lease,
  newId,
  unwrap,
} from "@cairn/protocol";
import { ChunkIntake } from "../../commit/chunk-intake.ts";
import { Commits } from "../../commit/commits.ts";
import type { LeaseGate, ReceiptJudge, WrittenChunk } from "../../contracts.ts";
import { DriveTable } from "../../namespace/drive-table.ts";
import { Namespace } from "../../namespace/namespace.ts";
import { reclaimStep } from "../../namespace/removal.ts";
import { ReadPlanner } from "../../read/read-plan.ts";
import { noMetrics, TestCluster, type TestNode, writtenBy } from "../../service/testing/test-cluster.ts";
import { Uploads } from "../../upload/uploads.ts";
import type { Store } from "../store.ts";
import { WriteQueue } from "../write-queue.ts";

export interface TestMetadataOptions {
  readonly seed?: number;
  /** Puts something between the parts and the database. */
  readonly wrap?: (database: SqlDatabase) => SqlDatabase;
  /** In place of the real ones, to take a guard away. */
  readonly leases?: LeaseGate;
  readonly receipts?: ReceiptJudge;
}

/** The namespace half over the real cluster half: a database in memory, virtual time, three nodes, one lease. */
export class TestMetadata implements AsyncDisposable {
  readonly cluster: TestCluster;
  readonly nodes: readonly TestNode[];
  readonly store: Store;
  readonly namespace: Namespace;
  readonly commits: Commits;
  readonly uploads: Uploads;
  readonly planner: ReadPlanner;
  drive!: Drive;
  lease!: Lease;
  #counter = 0;

  private constructor(cluster: TestCluster, nodes: readonly TestNode[], options: TestMetadataOptions) {
    this.cluster = cluster;
    this.nodes = nodes;
    const { clock, random, hasher, log } = cluster;
    const database = options.wrap?.(cluster.database) ?? cluster.database;
    const queue = new WriteQueue({ clock, random, database, metrics: noMetrics }, { gather: async () => undefined });
    this.store = { database, queue, drives: new DriveTable(), clock, random, hasher, log };
    const intake = new ChunkIntake(options.leases ?? cluster.core.leases, options.receipts ?? cluster.core.receipts);
    this.namespace = new Namespace(this.store);
    this.commits = new Commits(this.store, intake);
    this.uploads = new Uploads(this.store, intake);
    this.planner = new ReadPlanner(this.store, cluster.core.views);
  }

  static async open(options: TestMetadataOptions = {}): Promise<TestMetadata> {
    const cluster = await TestCluster.open({ seed: options.seed ?? 1 });
    const nodes = await cluster.addNodes(3);
    const metadata = new TestMetadata(cluster, nodes, options);
    [metadata.drive] = (await new Namespace({ ...metadata.store, database: cluster.database }).drives()) as [Drive];
    await metadata.newLease();
    return metadata;
  }

  async newLease(): Promise<Lease> {
    this.lease = await this.cluster.core.leases.open(this.drive.id, "test");
    this.#counter = 0;
    return this.lease;
  }

  get root(): EntryId {
    return this.drive.root;
  }

  commitId(): CommitId {
    return newId("cm_", this.cluster.clock.now(), this.cluster.random.bytes(10));
  }

  /** A chunk's id, the same for the same number. */
  chunkId(content: number): ChunkId {
    const hash = new Uint8Array(32).fill(1);
    new DataView(hash.buffer).setUint32(0, Math.imul(content, 0x9e3779b1) >>> 0);
    new DataView(hash.buffer).setUint32(4, content);
    return chunkIdFromHash(hash);
  }

  /** Bytes of the chunk with this number: from 1 to 1,000. */
  lengthOf(content: number): number {
    return 1 + ((content * 7) % 1000);
  }

  /** A chunk as a writer has it after its nodes answered: in one of the lease's groups, with genuine receipts. */
  written(content: number, options: { group?: number; lease?: Lease; epoch?: number } = {}): WrittenChunk {
    const lease = options.lease ?? this.lease;
    const group = lease.groups[(options.group ?? content) % lease.groups.length];
    if (!group) throw new Error("the lease has no groups");
    const members = new Set(group.members.map((member) => member.disk));
    return writtenBy(
      this.nodes.filter((node) => members.has(node.disk)),
      {
        id: this.chunkId(content),
        generation: generationOf(lease.id, this.#counter++),
        group: group.id,
        epoch: options.epoch ?? group.epoch,
        length: this.lengthOf(content),
      },
    );
  }

  /** The same chunk as one that the drive has already. */
  known(chunk: CommittedChunk): CommittedChunk {
    return { id: chunk.id, length: chunk.length, group: chunk.group };
  }

  request(
    name: string,
    chunks: readonly CommittedChunk[],
    options: Partial<CommitTarget> & { commit?: CommitId; lease?: Lease } = {},
  ): CommitRequest {
    const { commit, lease, ...target } = options;
    return {
      commit: commit ?? this.commitId(),
      lease: (lease ?? this.lease).id,
      target: { drive: this.drive.id, parent: this.root, name, onConflict: "version", ...target },
      size: chunks.reduce((sum, chunk) => sum + chunk.length, 0),
      chunks,
    };
  }

  async commit(request: CommitRequest): Promise<CommitResult> {
    const [outcome] = await this.commits.commit([request]);
    if (!outcome) throw new Error("a commit has an outcome");
    return unwrap(outcome);
  }

  /** A file with these contents. */
  async file(name: string, contents: readonly number[], options: Partial<CommitTarget> = {}): Promise<Entry> {
    const chunks = contents.map((content) => this.written(content));
    return (await this.commit(this.request(name, chunks, options))).entry;
  }

  async folder(path: string): Promise<Entry> {
    return await this.namespace.createFolder(this.commitId(), { drive: this.drive.id, path, parents: true });
  }

  /** Reclaims until nothing is left; tells how many transactions it took. */
  async reclaim(): Promise<number> {
    let steps = 0;
    while (await reclaimStep(this.store)) steps++;
    return steps;
  }

  async names(folder: EntryId): Promise<string[]> {
    const page = await this.namespace.list(folder, { size: 1000 });
    return page.items.map((entry) => (entry.kind === "folder" ? `${entry.name}/` : entry.name));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.queue.idle();
    await this.cluster.database[Symbol.asyncDispose]();
  }
}
