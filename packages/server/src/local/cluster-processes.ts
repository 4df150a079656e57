import { join } from "node:path";
import type { Env } from "@cairn/env";
import { places } from "../places.ts";
import type { RoleReady } from "../roles/role-config.ts";
import { SupervisedProcess } from "./child-process.ts";
import type { LocalClusterOptions } from "./local-cluster.ts";
import { allocatorEnvironment, nodeArguments } from "./node-runtime.ts";

/** The metadata server, with the S3 door unless gateways answer S3. */
export function metadataProcess(
  env: Env,
  { data, host, port, s3Port, s3Domains, copies, logLevel, settings }: LocalClusterOptions,
  wants: {
    ownerToken: string | undefined;
    wantJoinToken: boolean;
    s3Url: string | undefined;
    localDisks: readonly string[];
  },
): SupervisedProcess {
  const options = { name: "metadata", logFolder: places.logs(data), logLevel };
  return new SupervisedProcess(env.clock, env.log, {
    name: "metadata",
    options,
    environment: allocatorEnvironment,
    config: (last?: RoleReady) => ({
      role: "metadata",
      folder: places.metadata(data),
      host,
      port: last?.port ?? port,
      s3: wants.s3Url !== undefined ? { url: wants.s3Url } : { port: last?.s3?.port ?? s3Port },
      copies,
      localDisks: wants.localDisks,
      s3Domains,
      // A restart in the middle of a run has nobody to hand tokens to, and thresholds may have been changed since.
      owner: last === undefined ? { token: wants.ownerToken } : undefined,
      wantJoinToken: last === undefined && wants.wantJoinToken,
      settings: last === undefined ? settings : undefined,
    }),
  });
}

/** A storage node with one disk. */
export function nodeProcess(
  env: Env,
  { data, host, logLevel }: LocalClusterOptions,
  { name, ...place }: { name: string; advertisedHost: string; metadataUrl: string; joinToken: string | undefined },
): SupervisedProcess {
  const folder = places.node(data, name);
  return new SupervisedProcess(env.clock, env.log, {
    name,
    options: { name, logFolder: places.logs(data), logLevel },
    nodeArguments,
    environment: allocatorEnvironment,
    config: (last?: RoleReady) => ({
      role: "node",
      folder,
      disks: [places.nodeDisk(data, name)],
      host,
      port: last?.port ?? 0,
      ...place,
      node: name,
    }),
  });
}

/** One of the processes that answer S3 on one port. */
export function gatewayProcess(
  env: Env,
  { data, s3Domains, logLevel }: LocalClusterOptions,
  {
    s3Url,
    ...place
  }: {
    name: string;
    s3Url: string;
    metadataUrl: string;
    joinToken: string | undefined;
    localDisks: readonly string[];
  },
): SupervisedProcess {
  const { name } = place;
  return new SupervisedProcess(env.clock, env.log, {
    name,
    options: { name, logFolder: places.logs(data), logLevel },
    environment: allocatorEnvironment,
    config: () => ({ role: "gateway", folder: places.gateway(data, name), at: { s3Url }, s3Domains, ...place }),
  });
}

/** Where a node that has joined keeps its credential. */
export function nodeFile(data: string, name: string): string {
  return join(places.node(data, name), "node.json");
}

/** As nodeFile, of a gateway. */
export function gatewayFile(data: string, name: string): string {
  return join(places.gateway(data, name), "gateway.json");
}
