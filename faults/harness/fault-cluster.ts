import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CairnClient } from "@cairn/client";
import { FaultProxy } from "../proxy/fault-proxy.ts";
import type { RowContext } from "../run/row-context.ts";
import { CairnProcess, freePort } from "./cairn-process.ts";

export interface ClusterOptions {
  /** Default: 3 nodes, 2 copies. */
  readonly nodes?: number;
  readonly copies?: number;
  /** Thresholds besides those that make a fault run short. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Where a part keeps its data. Default: a folder of the row's own. */
  readonly placeOf?: (name: string) => string;
  /** A disk's folder apart from the rest of a node's data. Default: within it. */
  readonly diskOf?: (name: string) => string | undefined;
  /** Whether all go through fault proxies: clients and the metadata server to nodes, nodes and clients to metadata. */
  readonly proxied?: boolean;
  /** Program and environment that parts are started with. */
  readonly prefixOf?: (name: string) => readonly string[];
  readonly environmentOf?: (name: string) => Readonly<Record<string, string>>;
  /** Address that a part listens on. Default: 127.0.0.1. */
  readonly hostOf?: (name: string) => string;
}

/** Waits of minutes and hours become seconds, so that a run shows what would happen in a day. */
const settingsOfRuns: Readonly<Record<string, string>> = {
  "repair.delay": "2s",
  "repair.delay-single": "2s",
  "repair.rate": "1GiB",
  "safe-mode.time": "5s",
  "collect.grace": "10s",
  "collect.trash": "10s",
  "collect.every": "2s",
};

/** A cluster of real processes: `cairn server metadata` and so many `cairn server node`, each in the hands of the row. */
export class FaultCluster {
  readonly metadata: CairnProcess;
  readonly nodes: CairnProcess[] = [];
  /** By the name of the part that is reached through it. */
  readonly proxies: Map<string, FaultProxy> = new Map();
  readonly #context: RowContext;
  readonly #options: ClusterOptions;
  readonly #metadataPort: number;

  private constructor(context: RowContext, options: ClusterOptions, port: number) {
    this.#context = context;
    this.#options = options;
    this.#metadataPort = port;
    const settings = Object.entries({ ...settingsOfRuns, ...options.settings });
    const listen = ["--host", this.hostOf("metadata"), "--port", String(port), ...this.#beyondLoopback("metadata")];
    this.metadata = this.process("metadata", [
      ...["server", "metadata", "--data", this.placeOf("metadata"), "--copies", String(options.copies ?? 2)],
      ...listen,
      ...settings.flatMap(([name, value]) => ["--set", `${name}=${value}`]),
    ]);
  }

  static async start(context: RowContext, options: ClusterOptions = {}): Promise<FaultCluster> {
    const cluster = new FaultCluster(context, options, await freePort());
    await cluster.metadata.start();
    if (options.proxied) {
      const proxy = await cluster.#proxy("metadata");
      proxy.target = { host: "127.0.0.1", port: cluster.#metadataPort };
    }
    const names = Array.from({ length: options.nodes ?? 3 }, (_, index) => `node-${index + 1}`);
    for (const name of names) await cluster.addNode(name);
    await cluster.online();
    return cluster;
  }

  get profile(): { url: string; token: string } {
    const file = join(this.placeOf("metadata"), "client.json");
    return JSON.parse(readFileSync(file, "utf8")) as { url: string; token: string };
  }

  /** Where clients and nodes reach the metadata server. */
  get metadataUrl(): string {
    return this.proxies.get("metadata")?.url ?? this.profile.url;
  }

  get parts(): readonly CairnProcess[] {
    return [this.metadata, ...this.nodes];
  }

  placeOf(name: string): string {
    return this.#options.placeOf?.(name) ?? join(this.#context.folder, name);
  }

  /** The folder that a node's disk is. */
  diskOf(name: string): string {
    return this.#options.diskOf?.(name) ?? join(this.placeOf(name), "node", "disk");
  }

  hostOf(name: string): string {
    return this.#options.hostOf?.(name) ?? "127.0.0.1";
  }

  node(name: string): CairnProcess {
    const found = this.nodes.find((it) => it.name === name);
    if (!found) throw new Error(`there is no ${name}`);
    return found;
  }

  proxy(name: string): FaultProxy {
    const found = this.proxies.get(name);
    if (!found) throw new Error(`${name} is not reached through a proxy`);
    return found;
  }

  /** A node that joins and serves. */
  async addNode(name: string, extra: readonly string[] = []): Promise<CairnProcess> {
    const node = await this.planNode(name, extra);
    this.nodes.push(node);
    return node.start();
  }

  /** A node that has not been started, and is not counted among the nodes. */
  async planNode(name: string, extra: readonly string[] = []): Promise<CairnProcess> {
    const { secret } = await this.#withClient((client) => client.createJoinToken({ expiresInMs: 3_600_000 }));
    const listen = ["--host", this.hostOf(name), ...this.#beyondLoopback(name)];
    if (this.#options.proxied) {
      const port = await freePort();
      const proxy = await this.#proxy(name);
      proxy.target = { host: "127.0.0.1", port };
      listen.push("--port", String(port), "--advertise", proxy.url);
    }
    const disk = this.#options.diskOf?.(name);
    if (disk !== undefined) listen.push("--disk", disk);
    const joining = ["--metadata", this.metadataUrl, "--join", secret, "--name", name];
    return this.process(name, ["server", "node", "--data", this.placeOf(name), ...joining, ...listen, ...extra]);
  }

  /** Any process of Cairn with the ways of this cluster. */
  process(name: string, args: readonly string[]): CairnProcess {
    return new CairnProcess(this.#context, {
      name,
      args,
      prefix: this.#options.prefixOf?.(name) ?? [],
      environment: {
        XDG_CONFIG_HOME: join(this.#context.folder, "config"),
        ...this.#options.environmentOf?.(name),
      },
    });
  }

  /** A client of its own, closed with the row. */
  client(): CairnClient {
    const client = new CairnClient({ url: this.metadataUrl, token: this.profile.token });
    this.#context.defer("close client", () => client[Symbol.asyncDispose]());
    return client;
  }

  /** Waits until every node is online; tells after how many ms. */
  online(limitMs = 60_000): Promise<number> {
    return this.#withClient((client) =>
      this.#context.until(
        "all nodes are online",
        async () => {
          const nodes = await client.nodes();
          const online = nodes.filter(({ health }) => health === "online").map(({ node }) => node as string);
          return this.nodes.every(({ name }) => online.includes(name));
        },
        limitMs,
      ),
    );
  }

  /** kill -9 of everything at once. */
  async killAll(): Promise<void> {
    await Promise.all(this.parts.map((part) => part.kill()));
  }

  /** Starts whatever does not run, as a supervisor would; tells after how many ms all serve. */
  async startAll(): Promise<number> {
    const begin = performance.now();
    if (!this.metadata.isRunning) await this.metadata.start();
    await Promise.all(this.nodes.filter(({ isRunning }) => !isRunning).map((node) => node.start()));
    return performance.now() - begin;
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
    await this.metadata.stop();
  }

  async #proxy(name: string): Promise<FaultProxy> {
    const proxy = await FaultProxy.listen();
    this.#context.defer(`end the proxy of ${name}`, () => proxy[Symbol.asyncDispose]());
    this.proxies.set(name, proxy);
    return proxy;
  }

  #beyondLoopback(name: string): readonly string[] {
    return this.hostOf(name).startsWith("127.") ? [] : ["--allow-network"];
  }

  async #withClient<Result>(work: (client: CairnClient) => Promise<Result>): Promise<Result> {
    const client = new CairnClient({ url: this.metadataUrl, token: this.profile.token });
    try {
      return await work(client);
    } finally {
      await client[Symbol.asyncDispose]();
    }
  }
}
