import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DriveReader, DriveWriter } from "@cairn/drive";
import type { Env } from "@cairn/env";
import { NodeDisk, nodeEnv, openSqlite } from "@cairn/env-node";
import { type Gateway, startGateway } from "@cairn/gateway";
import { newMetadataKeys, type OpenMetadata, openMetadata } from "@cairn/metadata";
import type { ChunkService, MetadataService } from "@cairn/protocol";
import {
  chunkServicesAt,
  dataPathMethods,
  type MethodList,
  nodeCommandsAt,
  RemoteChunkService,
  serveMethods,
} from "@cairn/remote";
import { type StorageNode, startStorageNode } from "@cairn/storage-node";
import { CairnClient } from "../cairn-client.ts";

const version = "0.0.0-test";
const host = "127.0.0.1";

export interface TestClusterOptions {
  readonly nodes?: number;
  readonly copies?: number;
  readonly chunkBytes?: number;
}

/** A whole cluster in one process: real metadata on SQLite, a real gateway, real nodes on real disks and sockets. */
export class TestCluster implements AsyncDisposable {
  readonly env: Env & AsyncDisposable = nodeEnv({ name: "test", level: "silent" });
  readonly nodes: (StorageNode | undefined)[] = [];
  folder = "";
  token = "";
  #opened: OpenMetadata | undefined;
  #gateway: Gateway | undefined;
  #writer: DriveWriter | undefined;
  #database: AsyncDisposable | undefined;

  static async start({ nodes = 3, copies = 2, chunkBytes = 65_536 }: TestClusterOptions = {}): Promise<TestCluster> {
    const cluster = new TestCluster();
    cluster.folder = await mkdtemp(join(tmpdir(), "cairn-client-"));
    await cluster.#startMetadata(copies, chunkBytes);
    for (let number = 1; number <= nodes; number++) await cluster.startNode(number);
    return cluster;
  }

  get url(): string {
    return this.#gateway?.url ?? "";
  }

  get metadata(): MetadataService {
    if (!this.#opened) throw new Error("the metadata server is not open");
    return this.#opened.metadata;
  }

  client(): CairnClient {
    return new CairnClient({ url: this.url, token: this.token, holder: "test" });
  }

  /** Starts node-`number`, or starts it again on its old disk and port. */
  async startNode(number: number, advertisedUrl?: string): Promise<StorageNode> {
    if (!this.#opened) throw new Error("the metadata server is not open");
    const home = new NodeDisk(await this.#made(`node-${number}`));
    const disk = new NodeDisk(await this.#made(`node-${number}/disk`));
    const { secret } = await this.#opened.access.createJoinToken({ expiresInMs: 60_000 });
    const node = await startStorageNode({
      env: this.env,
      membership: this.#opened.membership,
      home,
      disks: [disk],
      chunksAt: chunkServicesAt(this.env),
      listen: { host, port: 0 },
      joinToken: secret,
      version,
      ...(advertisedUrl === undefined ? {} : { advertisedUrl }),
    });
    this.nodes[number - 1] = node;
    return node;
  }

  async stopNode(number: number): Promise<void> {
    await this.nodes[number - 1]?.[Symbol.asyncDispose]();
    this.nodes[number - 1] = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer?.[Symbol.asyncDispose]();
    await this.#gateway?.[Symbol.asyncDispose]();
    for (const number of this.nodes.keys()) await this.stopNode(number + 1);
    await this.#opened?.[Symbol.asyncDispose]();
    await this.#database?.[Symbol.asyncDispose]();
    await this.env[Symbol.asyncDispose]();
    await rm(this.folder, { recursive: true, force: true });
  }

  async #made(name: string): Promise<string> {
    await new NodeDisk(this.folder).makeFolder(name);
    return join(this.folder, name);
  }

  async #startMetadata(copies: number, chunkBytes: number): Promise<void> {
    const { env } = this;
    const database = await openSqlite(join(this.folder, "metadata.sqlite"));
    this.#database = database;
    const keys = newMetadataKeys(env.random);
    const commands = { nodeCommandsAt: nodeCommandsAt(env) };
    this.#opened = await openMetadata({
      env,
      database,
      keys,
      keysAreNew: true,
      copies,
      chunkBytes,
      version,
      ...commands,
    });
    const { metadata, access } = this.#opened;
    const chunksAt = (base: string): ChunkService => new RemoteChunkService({ ...env, base });
    const services = { metadata, chunksAt };
    this.#writer = new DriveWriter(env, services, { holder: "gateway" });
    const base = "/api/v1/data";
    const methods = dataPathMethods as MethodList<MetadataService>;
    const handler = serveMethods(metadata, methods, { base, authorise: async () => undefined });
    this.#gateway = await startGateway({
      env,
      metadata,
      operations: this.#opened.operations,
      reader: new DriveReader(env, services),
      writer: this.#writer,
      mounts: [{ base, scopeOf: () => "write", handler }],
      listen: { host, port: 0 },
      version,
      openMetrics: true,
    });
    this.token = (await access.createToken({ name: "test", scopes: ["admin"] })).secret;
  }
}
