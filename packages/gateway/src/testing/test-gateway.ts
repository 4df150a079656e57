import { mkdtemp, rm } from "node:fs/promises";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DriveReader, DriveWriter } from "@cairn/drive";
import type { Env } from "@cairn/env";
import { nodeEnv, openSqlite } from "@cairn/env-node";
import { newMetadataKeys, type OpenMetadata, openMetadata } from "@cairn/metadata";
import { type MetadataService, type Scope, StorageError } from "@cairn/protocol";
import {
  chunkServicesAt,
  dataPathMethods,
  type MethodList,
  nodeCommandsAt,
  RemoteChunkService,
  serveMethods,
} from "@cairn/remote";
import { MemoryDisk } from "@cairn/simulator";
import { type StorageNode, startStorageNode } from "@cairn/storage-node";
import { type Gateway, startGateway } from "../gateway.ts";
import type { GatewayOptions } from "../gateway-options.ts";

const version = "0.0.0-test";
const host = "127.0.0.1";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly json: Record<string, unknown> & { items: Record<string, unknown>[] };
}

export interface Call {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: unknown;
  /** Sent as it is. */
  readonly bytes?: Uint8Array;
  readonly token?: string | undefined;
}

/** A real gateway over real metadata and real nodes; only the nodes' disks are in memory. */
export class TestGateway implements AsyncDisposable {
  readonly env: Env & AsyncDisposable;
  readonly nodes: StorageNode[] = [];
  readonly tokens: Record<Scope | "none", string | undefined> = {
    read: undefined,
    write: undefined,
    admin: undefined,
    none: undefined,
  };
  readonly #folder: string;
  #opened: OpenMetadata | undefined;
  #gateway: Gateway | undefined;
  #writer: DriveWriter | undefined;
  #reader: DriveReader | undefined;
  #database: AsyncDisposable | undefined;

  private constructor(folder: string, logged: string[]) {
    this.#folder = folder;
    this.env = nodeEnv({ name: "test", level: "info", destination: { write: (line) => void logged.push(line) } });
  }

  static async start(
    options: Partial<GatewayOptions> & { readonly nodes?: number; readonly logged?: string[] } = {},
  ): Promise<TestGateway> {
    const { nodes = 2, logged = [], ...gatewayOptions } = options;
    const started = new TestGateway(await mkdtemp(join(tmpdir(), "cairn-gateway-")), logged);
    await started.#start(nodes, gatewayOptions);
    return started;
  }

  get url(): string {
    return this.#gateway?.url ?? "";
  }

  get port(): number {
    return this.#gateway?.port ?? 0;
  }

  get metadata(): MetadataService {
    if (!this.#opened) throw new Error("not open");
    return this.#opened.metadata;
  }

  /** The data path, for other doors over the same drive. */
  get drive(): { readonly reader: DriveReader; readonly writer: DriveWriter } {
    if (!this.#reader || !this.#writer) throw new Error("not open");
    return { reader: this.#reader, writer: this.#writer };
  }

  /** Stops the gateway alone, as on SIGTERM. */
  async stopGateway(): Promise<void> {
    await this.#gateway?.[Symbol.asyncDispose]();
  }

  /** One request below /api/v1, as admin if not said otherwise. */
  call(path: string, call: Call = {}): Promise<Answer> {
    return this.raw(`/api/v1${path}`, { token: this.tokens.admin, ...call });
  }

  /** One request, without a token if not said otherwise. */
  raw(path: string, { method = "GET", headers = {}, body, bytes, token }: Call = {}): Promise<Answer> {
    const sent = bytes ?? (body === undefined ? undefined : Buffer.from(JSON.stringify(body)));
    const all = {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(sent === undefined ? {} : { "content-length": String(sent.length) }),
      ...headers,
    };
    return new Promise((resolve, reject) => {
      const outgoing = httpRequest({ host, port: this.port, method, path, headers: all, agent: false }, (incoming) => {
        const parts: Buffer[] = [];
        incoming.on("data", (part: Buffer) => parts.push(part));
        incoming.on("error", reject);
        incoming.on("end", () => {
          const whole = Buffer.concat(parts);
          const isJson = /json/.test(incoming.headers["content-type"] ?? "") && whole.length > 0;
          resolve({
            status: incoming.statusCode ?? 0,
            headers: incoming.headers,
            bytes: whole,
            json: (isJson ? JSON.parse(whole.toString()) : {}) as Answer["json"],
          });
        });
      });
      outgoing.on("error", reject);
      outgoing.end(sent);
    });
  }

  put(path: string, bytes: Uint8Array | string, call: Call = {}): Promise<Answer> {
    return this.call(`/files/by-path/${path}`, { method: "PUT", bytes: Buffer.from(bytes), ...call });
  }

  /** Writes text to the port and answers all that comes back until the connection ends or nothing comes for `idleMs`. */
  talk(text: string | Uint8Array, idleMs = 500): Promise<string> {
    return new Promise((resolve, reject) => {
      let got = "";
      const socket = connect(this.port, host, () => socket.write(text));
      socket.setTimeout(idleMs, () => socket.destroy());
      socket.on("data", (part) => {
        got += part.toString("latin1");
      });
      socket.on("error", (error: Error & { code?: string }) =>
        error.code === "ECONNRESET" ? undefined : reject(error),
      );
      socket.on("close", () => resolve(got));
    });
  }

  /** Ends the nodes, as if all their machines were switched off. */
  async stopNodes(): Promise<void> {
    for (const node of this.nodes.splice(0)) await node[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopGateway();
    await this.#writer?.[Symbol.asyncDispose]();
    await this.stopNodes();
    await this.#opened?.[Symbol.asyncDispose]();
    await this.#database?.[Symbol.asyncDispose]();
    await this.env[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #start(nodes: number, options: Partial<GatewayOptions>): Promise<void> {
    const { env } = this;
    const database = await openSqlite(join(this.#folder, "metadata.sqlite"));
    const keys = newMetadataKeys(env.random);
    const opened = await openMetadata({
      env,
      database,
      keys,
      keysAreNew: true,
      copies: Math.min(2, nodes),
      chunkBytes: 65_536,
      version,
      nodeCommandsAt: nodeCommandsAt(env),
    });
    this.#opened = opened;
    const { metadata, access } = opened;
    const services = {
      metadata,
      chunksAt: (base: string): RemoteChunkService => new RemoteChunkService({ ...env, base }),
    };
    const writer = new DriveWriter(env, services, { holder: "test" });
    this.#writer = writer;
    this.#reader = new DriveReader(env, services);
    this.#database = database;
    const base = "/api/v1/data";
    const methods = dataPathMethods as MethodList<MetadataService>;
    const handler = serveMethods(metadata, methods, { base, authorise: async () => undefined });
    this.#gateway = await startGateway({
      env,
      metadata,
      operations: opened.operations,
      reader: this.#reader,
      writer,
      mounts: [{ base, scopeOf: (method) => (method.startsWith("planRead") ? "read" : "write"), handler }],
      listen: { host, port: 0 },
      version,
      openMetrics: false,
      ...options,
    });
    for (const scope of ["read", "write", "admin"] as const)
      this.tokens[scope] = (await access.createToken({ name: scope, scopes: [scope] })).secret;
    for (let number = 1; number <= nodes; number++) {
      const { secret } = await access.createJoinToken({ expiresInMs: 60_000 });
      this.nodes.push(
        await startStorageNode({
          env,
          membership: opened.membership,
          home: new MemoryDisk(),
          disks: [new MemoryDisk()],
          chunksAt: chunkServicesAt(env),
          listen: { host, port: 0 },
          joinToken: secret,
          version,
        }),
      );
    }
  }
}

/** The id of the entry in an answer; fails loudly for anything else. */
export function idOf(answer: Answer): string {
  if (answer.status >= 300 || typeof answer.json["id"] !== "string")
    throw new StorageError("internal", "test", `${answer.status} ${answer.bytes.toString().slice(0, 500)}`);
  return answer.json["id"];
}
