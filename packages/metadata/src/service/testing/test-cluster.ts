import type { Env, HttpHandler, Log, Metrics, Network, SqlDatabase } from "@cairn/env";
import { NodeHasher, openSqlite } from "@cairn/env-node";
import {
  type DiskId,
  type DiskReport,
  type DriveId,
  fromBase64Url,
  type Generation,
  type GroupDigest,
  type GroupId,
  generationOf,
  type HeartbeatReply,
  type HeartbeatRequest,
  idFromBytes,
  type LeaseId,
  type Receipt,
  type RegisterRequest,
  type Registration,
  StorageError,
  signReceipt,
  toHex,
} from "@cairn/protocol";
import { SeededRandom, VirtualClock } from "@cairn/simulator";
import type { WrittenChunk } from "../../contracts.ts";
import { migrate } from "../../sql/migrate.ts";
import { ClusterCore } from "../cluster-core.ts";
import { type MetadataKeys, newMetadataKeys } from "../metadata-keys.ts";

const gibibyte = 2 ** 30;

/** Log lines that a test may look at. */
export class MemoryLog implements Log {
  readonly lines: {
    readonly level: string;
    readonly fields: Readonly<Record<string, unknown>>;
    readonly message: string;
  }[] = [];
  debug(fields: Readonly<Record<string, unknown>>, message: string): void {
    this.lines.push({ level: "debug", fields, message });
  }
  info(fields: Readonly<Record<string, unknown>>, message: string): void {
    this.lines.push({ level: "info", fields, message });
  }
  warn(fields: Readonly<Record<string, unknown>>, message: string): void {
    this.lines.push({ level: "warn", fields, message });
  }
  error(fields: Readonly<Record<string, unknown>>, message: string): void {
    this.lines.push({ level: "error", fields, message });
  }
  child(): Log {
    return this;
  }
}

/** Answers for base URLs; everything else is refused as by a machine on which nothing listens. */
export class TableNetwork implements Network {
  readonly handlers = new Map<string, HttpHandler>();
  async request(request: Parameters<Network["request"]>[0]): Promise<{
    status: number;
    headers: Record<string, string>;
    body: Uint8Array;
  }> {
    const base = new URL(request.url).origin;
    const handler = this.handlers.get(base);
    if (!handler) throw new StorageError("unavailable", "send request", `${base} refused the connection`);
    const reply = await handler({
      method: request.method,
      target: request.url.slice(base.length),
      headers: request.headers ?? {},
      id: "r",
      body: async () => new Uint8Array(0),
      signal: new AbortController().signal,
    });
    const body = Buffer.concat((reply.body ?? []) as Uint8Array[]);
    return { status: reply.status, headers: { ...reply.headers }, body };
  }
  serve(): Promise<never> {
    throw new StorageError("unavailable", "listen", "the table network does not listen");
  }
}

/** Forgets everything. */
export const noMetrics: Metrics = {
  counter: () => ({ add: () => undefined }),
  gauge: () => ({ set: () => undefined }),
  histogram: () => ({ observe: () => undefined }),
  expose: async () => "",
};

/** Counts write transactions: a heartbeat that changes nothing must not cost a sync. */
export class CountingDatabase implements SqlDatabase {
  writes = 0;
  /** When set, every write fails with it. */
  failure: StorageError | undefined;
  /** When set, what was read is handed over only after it. */
  readsHeld: Promise<void> | undefined;
  readonly #inner: SqlDatabase;
  constructor(inner: SqlDatabase) {
    this.#inner = inner;
  }
  async write<Result>(work: Parameters<SqlDatabase["write"]>[0]): Promise<Result> {
    this.writes++;
    if (this.failure) throw this.failure;
    return (await this.#inner.write(work)) as Result;
  }
  async read<Result>(work: Parameters<SqlDatabase["read"]>[0]): Promise<Result> {
    const result = (await this.#inner.read(work)) as Result;
    await this.readsHeld;
    return result;
  }
  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#inner[Symbol.asyncDispose]();
  }
}

export interface TestClusterOptions {
  readonly copies?: number;
  readonly seed?: number;
}

/** The metadata server's cluster half over a database in memory, with virtual time, and nodes that only talk. */
export class TestCluster {
  readonly clock = new VirtualClock();
  readonly random: SeededRandom;
  readonly hasher = new NodeHasher();
  readonly network = new TableNetwork();
  readonly log = new MemoryLog();
  readonly database: CountingDatabase;
  readonly keys: MetadataKeys;
  core!: ClusterCore;
  drive!: DriveId;

  private constructor(database: SqlDatabase, seed: number) {
    this.database = new CountingDatabase(database);
    this.random = new SeededRandom(seed);
    this.keys = newMetadataKeys(this.random);
  }

  static async open(options: TestClusterOptions = {}): Promise<TestCluster> {
    const cluster = new TestCluster(await openSqlite(":memory:"), options.seed ?? 1);
    await migrate(cluster.env, { copies: options.copies ?? 2, chunkBytes: 1_048_576 });
    await cluster.start({ keysAreNew: true });
    const row = await cluster.database.read<{ id: Uint8Array } | undefined>((sql) => sql.get("SELECT id FROM drive"));
    cluster.drive = idFromBytes("dr_", row?.id ?? new Uint8Array(16));
    return cluster;
  }

  get env(): Env & { readonly database: SqlDatabase } {
    const { clock, random, hasher, network, log, database } = this;
    return { clock, random, hasher, network, log, metrics: noMetrics, crashPoint: () => undefined, database };
  }

  /** Starts the metadata server anew over the same database: what was only in memory is gone. */
  async start(options: { keysAreNew?: boolean } = {}): Promise<void> {
    this.core = await ClusterCore.open(this.env, this.database, {
      keys: this.keys,
      keysAreNew: options.keysAreNew ?? false,
      overtake: true,
    });
  }

  /** Lets nodes join and send their first heartbeat. */
  async addNodes(count: number, disk: { totalBytes?: number; freeBytes?: number } = {}): Promise<TestNode[]> {
    const { secret } = await this.core.access.createJoinToken({ expiresInMs: 3600_000 });
    const nodes: TestNode[] = [];
    for (let index = 0; index < count; index++) {
      const node = new TestNode(this, { totalBytes: 100 * gibibyte, freeBytes: 100 * gibibyte, ...disk });
      await node.register(secret);
      await node.beat();
      nodes.push(node);
    }
    return nodes;
  }

  async beatAll(nodes: readonly TestNode[]): Promise<void> {
    for (const node of nodes) await node.beat();
  }

  /** Lets time pass while these nodes go on with their heartbeats. */
  async advance(ms: number, alive: readonly TestNode[] = []): Promise<void> {
    for (let passed = 0; passed < ms; passed += 3000) {
      await this.clock.advance(Math.min(3000, ms - passed));
      await this.beatAll(alive);
    }
  }
}

/** A storage node as the metadata server sees it: registrations, heartbeats, receipts. */
export class TestNode {
  readonly cluster: TestCluster;
  readonly uuid: string;
  readonly url: string;
  bootNonce: string;
  sequence = 0;
  registration!: Registration;
  report: Omit<DiskReport, "disk">;

  constructor(cluster: TestCluster, space: { totalBytes: number; freeBytes: number }) {
    this.cluster = cluster;
    this.uuid = toHex(cluster.random.bytes(16));
    this.bootNonce = toHex(cluster.random.bytes(16));
    this.url = `http://10.0.0.${cluster.random.integer(250)}:${1024 + cluster.random.integer(60_000)}`;
    this.report = { state: "ok", ...space, chunks: 0, chunkBytes: 0 };
  }

  get name(): Registration["node"] {
    return this.registration.node;
  }

  get disk(): DiskId {
    const [first] = this.registration.disks;
    if (!first) throw new Error("the node has no disk");
    return first.disk;
  }

  request(changes: Partial<RegisterRequest> = {}): RegisterRequest {
    const { totalBytes, freeBytes } = this.report;
    const secret = this.registration?.credential ?? "";
    const disks = [{ uuid: this.uuid, totalBytes, freeBytes }];
    return { secret, bootNonce: this.bootNonce, url: this.url, version: "0.1.0", disks, ...changes };
  }

  async register(secret: string, changes: Partial<RegisterRequest> = {}): Promise<Registration> {
    this.registration = await this.cluster.core.membership.register(this.request({ secret, ...changes }));
    this.sequence = 0;
    return this.registration;
  }

  /** A new process of the node registers. */
  async restart(): Promise<void> {
    this.bootNonce = toHex(this.cluster.random.bytes(16));
    await this.register(this.registration.credential);
  }

  beat(groups: readonly GroupDigest[] = [], changes: Partial<HeartbeatRequest> = {}): Promise<HeartbeatReply> {
    return this.cluster.core.membership.heartbeat({
      node: this.name,
      credential: this.registration.credential,
      bootNonce: this.bootNonce,
      sequence: ++this.sequence,
      disks: [{ disk: this.disk, ...this.report }],
      groups,
      ...changes,
    });
  }

  digest(group: GroupId, size: { records: number; bytes: number; sealed?: boolean }): GroupDigest {
    return { group, disk: this.disk, digest: "0000000000000000", sealed: false, ...size };
  }

  sign(chunk: ChunkClaims): Receipt {
    const key = fromBase64Url(this.registration.receiptKey);
    return signReceipt({ ...chunk, disk: this.disk }, (message) => this.cluster.hasher.hmac(key, message));
  }

  /** Answers GET /identity as a living process of this node does. */
  serveIdentity(bootNonce: string = this.bootNonce): void {
    const identity = { cluster: this.registration.cluster, node: this.name, bootNonce, disks: [], version: "0.1.0" };
    this.cluster.network.handlers.set(this.url, async (request) => ({
      status: request.target === "/identity" && request.headers["authorization"]?.startsWith("Bearer c1.") ? 200 : 404,
      body: [Buffer.from(JSON.stringify(identity))],
    }));
  }
}

export interface ChunkClaims {
  readonly id: WrittenChunk["id"];
  readonly generation: Generation;
  readonly group: GroupId;
  readonly epoch: number;
  readonly length: number;
}

/** A chunk of a lease with the receipts of these nodes. */
export function writtenBy(nodes: readonly TestNode[], claims: ChunkClaims): WrittenChunk {
  const { id, length, group, generation } = claims;
  return { id, length, group, written: { generation, receipts: nodes.map((node) => node.sign(claims)) } };
}

export function claimsOf(group: { id: GroupId; epoch: number }, lease: LeaseId, counter = 0): ChunkClaims {
  const id = counter.toString(16).padStart(64, "0") as WrittenChunk["id"];
  return { id, generation: generationOf(lease, counter), group: group.id, epoch: group.epoch, length: 4096 };
}

/** The error that a promise fails with; fails the test when it does not. */
export async function failureOf(promise: Promise<unknown>): Promise<StorageError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof StorageError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}
