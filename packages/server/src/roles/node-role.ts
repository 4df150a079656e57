import { mkdir } from "node:fs/promises";
import type { Env } from "@cairn/env";
import { NodeDisk } from "@cairn/env-node";
import { parseNodeId } from "@cairn/protocol";
import { chunkServicesAt, remoteMembership } from "@cairn/remote";
import { startStorageNode } from "@cairn/storage-node";
import { isLoopback } from "../network-policy.ts";
import { version } from "../version.ts";
import type { NodeRoleConfig, RunningRole } from "./role-config.ts";

/** A storage node of a cluster whose metadata server is reached by URL. */
export async function runNode(env: Env, config: NodeRoleConfig): Promise<RunningRole> {
  for (const folder of [config.folder, ...config.disks]) await mkdir(folder, { recursive: true, mode: 0o700 });
  const { network, clock, random, hasher } = env;
  const node = await startStorageNode({
    env,
    membership: remoteMembership({ network, clock, random, base: `${config.metadataUrl}/cluster/v1/membership` }),
    home: new NodeDisk(config.folder),
    disks: config.disks.map((folder) => new NodeDisk(folder)),
    chunksAt: chunkServicesAt({ network, hasher }),
    listen: { host: config.host, port: config.port },
    advertisedUrl: config.advertisedUrl,
    advertisedHost: config.advertisedHost,
    joinToken: config.joinToken,
    node: config.node === undefined ? undefined : parseNodeId(config.node),
    version,
    openMetrics: isLoopback(config.host),
  });
  return {
    ready: { url: node.url, port: Number(new URL(node.url).port), name: node.node },
    [Symbol.asyncDispose]: () => node[Symbol.asyncDispose](),
  };
}
