import type { Env, HttpHandler, IncomingReply, Listener, Network, OutgoingRequest, ServeOptions } from "@cairn/env";
import {
  CleanupStack,
  chunkIdFromHash,
  generationOf,
  type Lease,
  newId,
  type Receipt,
  StorageError,
  unwrap,
} from "@cairn/protocol";
import { chunkServicesAt, nodeCommandsAt } from "@cairn/remote";
import { MemoryDisk } from "@cairn/simulator";
import { type StorageNode, startStorageNode } from "@cairn/storage-node";
import { ChunkIntake } from "../../commit/chunk-intake.ts";
import { Commits } from "../../commit/commits.ts";
import type { WrittenChunk } from "../../contracts.ts";
import { DriveTable } from "../../namespace/drive-table.ts";
import { Namespace } from "../../namespace/namespace.ts";
import { reclaimStep } from "../../namespace/removal.ts";
import { noMetrics, TestCluster } from "../../service/testing/test-cluster.ts";
import type { Store } from "../../sql/store.ts";
import { WriteQueue } from "../../sql/write-queue.ts";
import { Collection } from "../collection.ts";
import { bytesOf } from "./engine-node.ts";

/** Requests between parts of one process; everything that is served answers, everything else refuses. */
export class MemoryNetwork implements Network {
  readonly #handlers: Map<string, HttpHandler>;
  #port = 7000;

  constructor(handlers: Map<string, HttpHandler>) {
    this.#handlers = handlers;
  }

  async request(request: OutgoingRequest): Promise<IncomingReply> {
    const base = new URL(request.url).origin;
    const handler = this.#handlers.get(base);
    if (!handler) throw new StorageError("unavailable", "send request", `${base} refused the connection`);
    const reply = await handler({
      method: request.method,
      target: request.url.slice(base.length),
      headers: request.headers ?? {},
      id: "r",
      body: async () => joined(request.body ?? []),
      signal: new AbortController().signal,
    });
    return { status: reply.status, headers: { ...reply.headers }, body: joined(reply.body ?? []) };
  }

  async serve(handler: HttpHandler, { host }: ServeOptions): Promise<Listener> {
    const port = this.#port++;
    const base = `http://${host}:${port}`;
    this.#handlers.set(base, handler);
    return { host, port, [Symbol.asyncDispose]: async () => void this.#handlers.delete(base) };
  }
}

interface NodeParts {
  readonly home: MemoryDisk;
  disk: MemoryDisk;
  running: StorageNode | undefined;
}

/** Real storage nodes on disks in memory, which report and are commanded over a network in memory, on virtual time. */
export class RealCluster implements AsyncDisposable {
  readonly cluster: TestCluster;
  readonly network: MemoryNetwork;
  readonly store: Store;
  readonly commits: Commits;
  readonly namespace: Namespace;
  readonly nodes: NodeParts[] = [];
  lease!: Lease;
  #counter = 0;

  private constructor(cluster: TestCluster) {
    this.cluster = cluster;
    this.network = new MemoryNetwork(cluster.network.handlers);
    const { clock, random, hasher, log, database, core } = cluster;
    const queue = new WriteQueue({ clock, random, database, metrics: noMetrics }, { gather: async () => undefined });
    this.store = { database, queue, drives: new DriveTable(), clock, random, hasher, log };
    this.commits = new Commits(this.store, new ChunkIntake(core.leases, core.receipts));
    this.namespace = new Namespace(this.store);
  }

  static async open(): Promise<RealCluster> {
    const real = new RealCluster(await TestCluster.open());
    const { secret } = await real.cluster.core.access.createJoinToken({ expiresInMs: 3_600_000 });
    for (let index = 0; index < 3; index++) {
      real.nodes.push({ home: new MemoryDisk(), disk: new MemoryDisk(), running: undefined });
      await real.start(index, secret);
    }
    await real.pass(10_000);
    real.lease = await real.cluster.core.leases.open(real.cluster.drive, "test");
    return real;
  }

  get env(): Env {
    return { ...this.cluster.env, network: this.network };
  }

  collection(): Collection {
    const nodes = nodeCommandsAt(this.env);
    const { store, cluster, env } = this;
    return new Collection({ env, store, core: cluster.core, nodes, readiness: { hold: () => undefined } });
  }

  async start(index: number, joinToken?: string): Promise<void> {
    const node = this.nodes[index] as NodeParts;
    node.running = await this.settle(
      startStorageNode({
        env: this.env,
        membership: this.cluster.core.membership,
        home: node.home,
        disks: [node.disk],
        chunksAt: chunkServicesAt(this.env),
        listen: { host: "127.0.0.1", port: 0 },
        joinToken,
        version: "test",
      }),
    );
  }

  async stop(index: number): Promise<void> {
    const { running } = this.nodes[index] as NodeParts;
    if (running) await this.settle(Promise.resolve(running[Symbol.asyncDispose]()));
    (this.nodes[index] as NodeParts).running = undefined;
  }

  /** Time goes on and nodes beat. */
  pass(ms: number): Promise<void> {
    return this.cluster.clock.advance(ms);
  }

  /** Lets time pass until the work has ended. */
  async settle<Result>(work: Promise<Result>): Promise<Result> {
    let ended = false;
    const end = (): void => {
      ended = true;
    };
    work.then(end, end);
    while (!ended) await this.cluster.clock.advance(5);
    return await work;
  }

  /** Sends a chunk to all members of a group, as a writer does. */
  async write(content: number): Promise<WrittenChunk> {
    const group = this.lease.groups[0];
    if (!group) throw new Error("the lease has no groups");
    const bytes = bytesOf(content);
    const id = chunkIdFromHash(await this.store.hasher.sha256(bytes));
    const generation = generationOf(this.lease.id, this.#counter++);
    const at = chunkServicesAt(this.env);
    const receipts: Receipt[] = [];
    for (const { url } of group.members) {
      receipts.push(await this.settle(at(url).put({ id, generation, bytes, token: group.writeToken })));
    }
    return { id, length: bytes.length, group: group.id, written: { generation, receipts } };
  }

  /** A file of these chunks; tells how to remove it for good. */
  async commit(name: string, chunks: readonly WrittenChunk[]): Promise<() => Promise<void>> {
    const commitId = () => newId("cm_", this.cluster.clock.now(), this.cluster.random.bytes(10));
    const [drive] = await this.namespace.drives();
    if (!drive) throw new Error("no drive");
    const [outcome] = await this.commits.commit([
      {
        commit: commitId(),
        lease: this.lease.id,
        target: { drive: drive.id, parent: drive.root, name, onConflict: "version" },
        size: chunks.reduce((sum, chunk) => sum + chunk.length, 0),
        chunks,
      },
    ]);
    if (!outcome) throw new Error("a commit has an outcome");
    const { entry } = unwrap(outcome);
    return async () => {
      await this.namespace.remove(commitId(), entry.id);
      while (await reclaimStep(this.store));
    };
  }

  /** The disks whose inventory names exactly this write. */
  async copiesOf({ group, id, written }: WrittenChunk): Promise<number> {
    const { core } = this.cluster;
    let copies = 0;
    for (const { node, url } of core.map.nodes()) {
      const commands = nodeCommandsAt(this.env)(url);
      const page = await this.settle(commands.inventory(group, undefined, core.signer.command(node)));
      if (page.chunks.some((chunk) => chunk.id === id && chunk.generation === written.generation)) copies++;
    }
    return copies;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using stack = new CleanupStack();
    stack.use(this.cluster.database);
    for (const [index] of this.nodes.entries()) await this.stop(index);
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
