import { existsSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Env } from "@cairn/env";
import { NodeDisk } from "@cairn/env-node";
import { CleanupStack, isKind, StorageError, toBase64Url } from "@cairn/protocol";
import { places } from "../places.ts";
import { localUrl, reachableHost } from "../reachable-host.ts";
import type { ProcessOptions } from "../role-process.ts";
import type { RoleReady } from "../roles/role-config.ts";
import { readJsonFile, writeSecretFile } from "../secret-file.ts";
import { SupervisedProcess } from "./child-process.ts";
import { controlHandler, type LocalControl } from "./control.ts";
import { nodeArguments, nodeEnvironment } from "./node-runtime.ts";
import { type ClientProfile, readClientProfile, writeClientProfile } from "./profile.ts";

export interface LocalClusterOptions {
  readonly data: string;
  readonly host: string;
  readonly port: number;
  readonly s3Port: number;
  readonly nodes: number;
  readonly copies: number;
  readonly logLevel: ProcessOptions["logLevel"];
  /** Thresholds to set at the start. */
  readonly settings?: Readonly<Record<string, number>> | undefined;
}

/** A metadata server with its gateway and storage nodes, each a process of its own, on this machine. */
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
  const processes: SupervisedProcess[] = [];
  undo.use({
    [Symbol.asyncDispose]: async () => {
      for (const process of processes) process.expectEnd();
      // The nodes first: they tell the metadata server nothing it has to act on any more.
      await Promise.all(processes.slice(1).map((process) => process.stop()));
      await processes[0]?.stop();
    },
  });

  const advertisedHost = reachableHost(options.host);
  const names = await nodeNames(options);
  await assertNotOrphaned(data, names);
  const known = await readClientProfile(data);
  const newcomers = (await Promise.all(names.map((name) => hasJoined(data, name)))).some((joined) => !joined);
  const metadata = metadataProcess(env, options, { ownerToken: known?.token, wantJoinToken: newcomers });
  processes.push(metadata);
  const ready = await metadata.start();
  const token = ready.accessToken ?? known?.token;
  if (ready.accessToken !== undefined && known)
    env.log.warn({}, "the access token in client.json opened nothing; a new one stands there now");
  if (token === undefined)
    throw new StorageError("internal", "start cluster", "the metadata server made no access token");
  const url = localUrl(ready.url);
  const profile = { url, token };
  await writeClientProfile(data, profile);

  const nodes = names.map((name) =>
    nodeProcess(env, options, { name, advertisedHost, metadataUrl: url, joinToken: ready.joinToken }),
  );
  processes.push(...nodes);
  const started = await Promise.all(nodes.map((node) => startUnlessRemoved(env, node)));
  undo.use(await serveControl(env, { data, url, processes }));
  const running = undo.move();
  return {
    profile,
    s3Url: localUrl(ready.s3?.url ?? url),
    nodes: names.filter((_name, index) => started[index]),
    abandon: () => {
      for (const process of processes) process.abandon();
    },
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

function metadataProcess(
  env: Env,
  { data, host, port, s3Port, copies, logLevel, settings }: LocalClusterOptions,
  wants: { ownerToken: string | undefined; wantJoinToken: boolean },
): SupervisedProcess {
  const options = { name: "metadata", logFolder: places.logs(data), logLevel };
  return new SupervisedProcess(env.clock, env.log, {
    name: "metadata",
    options,
    config: (last?: RoleReady) => ({
      role: "metadata",
      folder: places.metadata(data),
      host,
      port: last?.port ?? port,
      s3Port: last?.s3?.port ?? s3Port,
      copies,
      // A restart in the middle of a run has nobody to hand tokens to, and thresholds may have been changed since.
      owner: last === undefined ? { token: wants.ownerToken } : undefined,
      wantJoinToken: last === undefined && wants.wantJoinToken,
      settings: last === undefined ? settings : undefined,
    }),
  });
}

function nodeProcess(
  env: Env,
  { data, host, logLevel }: LocalClusterOptions,
  { name, ...place }: { name: string; advertisedHost: string; metadataUrl: string; joinToken: string | undefined },
): SupervisedProcess {
  const folder = places.node(data, name);
  return new SupervisedProcess(env.clock, env.log, {
    name,
    options: { name, logFolder: places.logs(data), logLevel },
    nodeArguments,
    environment: nodeEnvironment,
    config: (last?: RoleReady) => ({
      role: "node",
      folder,
      disks: [join(folder, "disk")],
      host,
      port: last?.port ?? 0,
      ...place,
      node: name,
    }),
  });
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
  { data, url, processes }: { data: string; url: string; processes: readonly SupervisedProcess[] },
): Promise<AsyncDisposable> {
  const find = (name: string): SupervisedProcess => {
    const found = processes.find((process) => process.name === name);
    if (found) return found;
    const names = processes.map((process) => process.name).join(", ");
    throw new StorageError("not-found", "control cluster", `there is no process ${name}`, {
      hint: `There are: ${names}.`,
    });
  };
  const control: LocalControl = {
    status: async () => ({ url, processes: processes.map((process) => process.status) }),
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
    if (!(await hasJoined(data, name))) continue;
    throw new StorageError("conflict", "start cluster", `${name} holds data of a cluster whose metadata is missing`, {
      hint: `Restore ${places.metadata(data)} from its backup. Only if nothing in this cluster is needed any more: remove ${data} and start again.`,
    });
  }
}

/** Those that are there already, and as many more as were asked for. */
async function nodeNames({ data, nodes }: LocalClusterOptions): Promise<string[]> {
  await mkdir(places.nodes(data), { recursive: true, mode: 0o700 });
  const there = (await readdir(places.nodes(data))).filter((name) => /^node-\d+$/.test(name));
  const wanted = Array.from({ length: nodes }, (_, index) => `node-${index + 1}`);
  return [...new Set([...there, ...wanted])].sort((a, b) => Number(a.slice(5)) - Number(b.slice(5)));
}

async function hasJoined(data: string, name: string): Promise<boolean> {
  return (await readJsonFile(join(places.node(data, name), "node.json"))) !== undefined;
}
