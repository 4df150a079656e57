import { DriveReader, DriveWriter, NodeBoard } from "@cairn/drive";
import type { Network } from "@cairn/env";
import type { ChunkService } from "@cairn/protocol";
import { RemoteChunkService, remoteDataPath } from "@cairn/remote";
import type { ClientEnv } from "../options.ts";
import { NodeDirectory } from "./node-directory.ts";
import { relayedChunks } from "./relayed-chunk-service.ts";

export interface DataPathOptions {
  /** Base URL of the gateway. */
  readonly base: string;
  readonly token: string | undefined;
  readonly holder: string;
  /** The way to the gateway. */
  readonly gateway: Network;
}

export interface DataPath {
  readonly reader: DriveReader;
  readonly writer: DriveWriter;
}

/** The drive library over the gateway's data methods and the storage nodes themselves. */
export function openDataPath(env: ClientEnv, options: DataPathOptions): DataPath {
  const { base, token, gateway } = options;
  const { clock, random, network, hasher } = env;
  const directory = new NodeDirectory();
  // The drive library repeats what may be repeated; doing it here too would multiply the tries.
  const methods = remoteDataPath({
    network: gateway,
    clock,
    random,
    base: `${base}/api/v1/data`,
    bearer: token,
    tries: 1,
  });
  const metadata = directory.listenTo(methods);
  const chunksAt = (url: string): ChunkService => {
    const relay = (): ChunkService | undefined => {
      const node = directory.nodeAt(url);
      if (node === undefined) return undefined;
      // The Authorization header belongs to the node's own tokens.
      const headers: Record<string, string> = token === undefined ? {} : { "x-cairn-token": token };
      return new RemoteChunkService({ network: gateway, hasher, base: `${base}/api/v1/relay/${node}`, headers });
    };
    return relayedChunks({ clock, direct: new RemoteChunkService({ network, hasher, base: url }), relay });
  };
  const services = { metadata, chunksAt, nodes: new NodeBoard(env, chunksAt) };
  return {
    reader: new DriveReader(env, services),
    writer: new DriveWriter(env, services, { holder: options.holder }),
  };
}
