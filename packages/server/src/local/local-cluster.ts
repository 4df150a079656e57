import { existsSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import type { Env } from "@cairn/env";
import { NodeDisk } from "@cairn/env-node";
import { CleanupStack, isKind, StorageError, toBase64Url } from "@cairn/protocol";
import { places } from "../places.ts";
import { localUrl, reachableHost } from "../reachable-host.ts";
import type { ProcessOptions } from "../role-process.ts";
import { readJsonFile, writeSecretFile } from "../secret-file.ts";
import type { SupervisedProcess } from "./child-process.ts";
import { gatewayFile, gatewayProcess, metadataProcess, nodeFile, nodeProcess } from "./cluster-processes.ts";
import { controlHandler, type LocalControl } from "./control.ts";
import { type ClientProfile, readClientProfile, writeClientProfile } from "./profile.ts";
import { SharedPort } from "./shared-port.ts";

export interface LocalClusterOptions {
  readonly data: string;
  readonly host: string;
  readonly port: number;
  readonly s3Port: number;
  readonly s3Domains: readonly string[];
  readonly nodes: number;
  readonly copies: number;
  /** Processes that answer S3 in place of the metadata server. */
  readonly gateways: number;
  readonly logLevel: ProcessOptions["logLevel"];
  /** Thresholds to set at the start. */
  readonly settings?: Readonly<Record<string, number>> | undefined;
}

/** A metadata server with its gateway, storage nodes and further gateways, each a process of its own, on this machine. */
export interface LocalCluster extends AsyncDisposable {
  readonly profile: ClientProfile;
  /** The S3 door. */
  readonly s3Url: string;
  readonly nodes: readonly string[];
  /** Ends everything at once. */
  abandon(): void;
}

/**
 * Starts a cluster on a data folder, or brings back the one that is there. Throws unavailable when another one runs on
 * it, and whatever keeps a process from starting.
 */
export async function startLocalCluster(env: Env, options: LocalClusterOptions): Promise<LocalCluster> {
  await using undo = new CleanupStack();
  const { data } = options;
  await mkdir(places.run(data), { recursive: true, mode: 0o700 });
  undo.use(await new NodeDisk(places.run(data)).lock("lock"));
  const processes = undo.use(new ClusterProcesses());
  const nodeNames = await namesOfNodes(options);
  await assertNotOrphaned(data, nodeNames);
  const gatewayNames = Array.from({ length: options.gateways }, (_, index) => `gateway-${index + 1}`);
  const credentials = [
    ...nodeNames.map((name) => nodeFile(data, name)),
    ...gatewayNames.map((name) => gatewayFile(data, name)),
  ];
  const wantJoinToken = (await Promise.all(credentials.map((file) => readJsonFile(file)))).includes(undefined);
  const shared = options.gateways > 0 ? undo.use(await SharedPort.listen(options.host, options.s3Port)) : undefined;

  const localDisks = nodeNames.map((name) => places.nodeDisk(data, name));
  const { profile, joinToken, s3Url } = await startMetadata(env, options, {
    processes,
    s3Url: shared?.url,
    wantJoinToken,
    localDisks,
  });
  const place = { metadataUrl: profile.url, joinToken };
  const advertisedHost = reachableHost(options.host);
  const nodes = processes.add(
    ...nodeNames.map((name) => nodeProcess(env, options, { name, advertisedHost, ...place })),
  );
  const started = await Promise.all(nodes.map((node) => startUnlessRemoved(env, node)));
  const gateways = processes.add(
    ...gatewayNames.map((name) => gatewayProcess(env, options, { name, s3Url, localDisks, ...place })),
  );
  await Promise.all(gateways.map((gateway) => gateway.start()));
  shared?.handTo(gateways);

  undo.use(await serveControl(env, { data, url: profile.url, processes }));
  const running = undo.move();
  return {
    ...{ profile, s3Url },
    nodes: nodeNames.filter((_name, index) => started[index]),
    abandon: () => processes.abandon(),
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

/** Processes in the order in which they start; whoever came last is stopped first, and the metadata server last. */
class ClusterProcesses implements AsyncDisposable {
  readonly #groups: (readonly SupervisedProcess[])[] = [];

  get all(): readonly SupervisedProcess[] {
    return this.#groups.flat();
  }

  add(...group: readonly SupervisedProcess[]): readonly SupervisedProcess[] {
    this.#groups.push(group);
    return group;
  }

  abandon(): void {
    for (const process of this.all) process.abandon();
  }

  /** Nobody tells the metadata server anything it has to act on any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of this.all) process.expectEnd();
    for (const group of this.#groups.toReversed()) await Promise.all(group.map((process) => process.stop()));
  }
}

/** `s3Url`: where gateways answer S3; absent: the metadata server does. */
async function startMetadata(
  env: Env,
  options: LocalClusterOptions,
  by: {
    readonly processes: ClusterProcesses;
    readonly s3Url: string | undefined;
    readonly wantJoinToken: boolean;
    readonly localDisks: readonly string[];
  },
): Promise<{ profile: ClientProfile; joinToken: string | undefined; s3Url: string }> {
  const { data } = options;
  const known = await readClientProfile(data);
  const metadata = metadataProcess(env, options, { ...by, ownerToken: known?.token });
  by.processes.add(metadata);
  const ready = await metadata.start();
  const token = ready.accessToken ?? known?.token;
  if (ready.accessToken !== undefined && known)
    env.log.warn({}, "the access token in client.json opened nothing; a new one stands there now");
  if (token === undefined)
    throw new StorageError("internal", "start cluster", "the metadata server made no access token");
  const profile = { url: localUrl(ready.url), token };
  await writeClientProfile(data, profile);
  return { profile, joinToken: ready.joinToken, s3Url: localUrl(by.s3Url ?? ready.s3?.url ?? ready.url) };
}

/** The folder of a node that was removed for good is left where it is, and keeps nothing else from starting. */
async function startUnlessRemoved({ log }: Env, node: SupervisedProcess): Promise<boolean> {
  try {
    await node.start();
    return true;
  } catch (error) {
    if (!isKind(error, "conflict") || error.details["removed"] !== true) throw error;
    log.warn({ node: node.name }, `${node.name} was removed from the cluster; its folder may be deleted`);
    return false;
  }
}

async function serveControl(
  env: Env,
  { data, url, processes }: { data: string; url: string; processes: ClusterProcesses },
): Promise<AsyncDisposable> {
  const find = (name: string): SupervisedProcess => {
    const found = processes.all.find((process) => process.name === name);
    if (found) return found;
    const names = processes.all.map((process) => process.name).join(", ");
    throw new StorageError("not-found", "control cluster", `there is no process ${name}`, {
      hint: `There are: ${names}.`,
    });
  };
  const control: LocalControl = {
    status: async () => ({ url, processes: processes.all.map((process) => process.status) }),
    kill: (name) => find(name).kill(),
    revive: (name) => find(name).revive(),
  };
  const secret = toBase64Url(env.random.bytes(24));
  const listener = await env.network.serve(controlHandler(secret, control), {
    host: "127.0.0.1",
    port: 0,
    requestsMax: 16,
  });
  const file = places.supervisor(data);
  await writeSecretFile(file, { url: `http://127.0.0.1:${listener.port}`, secret, pid: process.pid });
  return {
    [Symbol.asyncDispose]: async () => {
      await rm(file, { force: true });
      await listener[Symbol.asyncDispose]();
    },
  };
}

/** Nodes that know a cluster whose metadata is gone must not be led by an empty one: what they hold would be nothing to it. */
async function assertNotOrphaned(data: string, names: readonly string[]): Promise<void> {
  if (existsSync(places.metadata(data))) return;
  for (const name of names) {
    if (!(await readJsonFile(nodeFile(data, name)))) continue;
    throw new StorageError("conflict", "start cluster", `${name} holds data of a cluster whose metadata is missing`, {
      hint: `Restore ${places.metadata(data)} from its backup. Only if nothing in this cluster is needed any more: remove ${data} and start again.`,
    });
  }
}

/** Those that are there already, and as many more as were asked for. */
async function namesOfNodes({ data, nodes }: LocalClusterOptions): Promise<string[]> {
  await mkdir(places.nodes(data), { recursive: true, mode: 0o700 });
  const there = (await readdir(places.nodes(data))).filter((name) => /^node-\d+$/.test(name));
  const wanted = Array.from({ length: nodes }, (_, index) => `node-${index + 1}`);
  return [...new Set([...there, ...wanted])].sort((a, b) => Number(a.slice(5)) - Number(b.slice(5)));
}
