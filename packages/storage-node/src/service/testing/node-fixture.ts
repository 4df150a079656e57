import type { Disk, Env } from "@cairn/env";
import { NodeHasher, nodeEnv } from "@cairn/env-node";
import {
  type ChunkId,
  type ChunkWrite,
  chunkIdFromHash,
  type DiskId,
  type Generation,
  type GroupId,
  generationOf,
  type HeartbeatReply,
  type HeartbeatRequest,
  type LeaseId,
  type MembershipService,
  type NodeCommandService,
  type NodeId,
  type RegisterRequest,
  type Registration,
  type StorageError,
  signToken,
  type TokenClaims,
  toBase64Url,
} from "@cairn/protocol";
import { chunkServicesAt, nodeCommandsAt, RemoteChunkService } from "@cairn/remote";
import { MemoryDisk } from "@cairn/simulator";
import { type StorageNode, type StorageNodeOptions, startStorageNode } from "../storage-node.ts";

export const cluster: string = "ab".repeat(16);
export const tokenKey: Uint8Array = new Uint8Array(32).fill(1);
export const receiptKey: Uint8Array = new Uint8Array(32).fill(2);
export const lease = 7 as LeaseId;
export const group = 3 as GroupId;
export const nodeName = "node-1" as NodeId;
export const hasher: NodeHasher = new NodeHasher();

/** A membership service that follows a script and remembers what it was told. */
export class ScriptedMembership implements MembershipService {
  readonly registrations: RegisterRequest[] = [];
  readonly heartbeats: HeartbeatRequest[] = [];
  /** Replace them to let the server fail, be silent, or want something. */
  onRegister: () => Promise<Partial<Registration>> = async () => ({});
  onHeartbeat: (request: HeartbeatRequest) => Promise<Partial<HeartbeatReply>> = async () => ({});
  heartbeatMs = 50;
  readonly #disks = new Map<string, DiskId>();

  async register(request: RegisterRequest): Promise<Registration> {
    this.registrations.push(request);
    const changes = await this.onRegister();
    return {
      cluster,
      node: nodeName,
      credential: "the node's credential",
      tokenKey: toBase64Url(tokenKey),
      receiptKey: toBase64Url(receiptKey),
      disks: request.disks.map(({ uuid }) => ({ uuid, disk: this.#diskOf(uuid) })),
      incarnation: 1,
      heartbeatMs: this.heartbeatMs,
      ...changes,
    };
  }

  async heartbeat(request: HeartbeatRequest): Promise<HeartbeatReply> {
    this.heartbeats.push(request);
    return { incarnation: 1, seal: [], ...(await this.onHeartbeat(request)) };
  }

  #diskOf(uuid: string): DiskId {
    const known = this.#disks.get(uuid) ?? ((this.#disks.size + 1) as DiskId);
    this.#disks.set(uuid, known);
    return known;
  }
}

/** A node on disks in memory and a real socket, and all that a test needs to talk to it. */
export class NodeFixture implements AsyncDisposable {
  readonly env: Env & AsyncDisposable = nodeEnv({ name: "test", level: "silent" });
  readonly membership: ScriptedMembership = new ScriptedMembership();
  readonly home: MemoryDisk = new MemoryDisk();
  disks: Disk[] = [new MemoryDisk()];
  #node: StorageNode | undefined;

  static async start(changes: Partial<StorageNodeOptions> = {}): Promise<NodeFixture> {
    const fixture = new NodeFixture();
    await fixture.start(changes);
    return fixture;
  }

  get node(): StorageNode {
    if (!this.#node) throw new Error("the node does not run");
    return this.#node;
  }

  get service(): RemoteChunkService {
    return new RemoteChunkService({ network: this.env.network, hasher: this.env.hasher, base: this.node.url });
  }

  get commands(): NodeCommandService {
    return nodeCommandsAt(this.env)(this.node.url);
  }

  async start(changes: Partial<StorageNodeOptions> = {}): Promise<void> {
    this.#node = await startStorageNode({
      env: this.env,
      membership: this.membership,
      home: this.home,
      disks: this.disks,
      chunksAt: chunkServicesAt(this.env),
      listen: { host: "127.0.0.1", port: 0 },
      joinToken: "join",
      version: "test",
      ...changes,
    });
  }

  async stop(): Promise<void> {
    await this.#node?.[Symbol.asyncDispose]();
    this.#node = undefined;
  }

  async restart(changes: Partial<StorageNodeOptions> = {}): Promise<void> {
    await this.stop();
    await this.start(changes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.env[Symbol.asyncDispose]();
  }
}

/** Signs claims with the cluster's key, or with another one. */
export function tokenOf(claims: TokenClaims, { of = cluster, key = tokenKey } = {}): string {
  return signToken(of, claims, (message) => hasher.hmac(key, message));
}

export function writeToken(changes: Readonly<Record<string, unknown>> = {}): string {
  return tokenOf({
    kind: "write",
    group,
    epoch: 1,
    lease,
    chunkBytesMax: 1 << 20,
    disks: [1 as DiskId],
    expiresAt: Date.now() + 60_000,
    ...changes,
  });
}

export function readToken(of: GroupId = group, expiresAt: number = Date.now() + 60_000): string {
  return tokenOf({ kind: "read", group: of, expiresAt });
}

export function commandToken({ leaderEpoch = 1, incarnation = 1, node = nodeName } = {}): string {
  return tokenOf({ kind: "command", node, incarnation, leaderEpoch, expiresAt: Date.now() + 60_000 });
}

export async function idOf(bytes: Uint8Array): Promise<ChunkId> {
  return chunkIdFromHash(await hasher.sha256(bytes));
}

/** A write of bytes that depend on its number. */
export async function writeOf(
  number: number,
  { length = 300, token = writeToken() }: { length?: number; token?: string } = {},
): Promise<ChunkWrite & { readonly generation: Generation }> {
  const bytes = Uint8Array.from({ length }, (_, at) => (at * 31 + number * 7 + (at >> 8)) & 255);
  return { id: await idOf(bytes), generation: generationOf(lease, number), bytes, token };
}

/** The kind of error that a promise fails with, or "no error". */
export function kindOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => "no error",
    (error: StorageError) => error.kind,
  );
}
