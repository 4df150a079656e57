import { DriveReader, DriveWriter, NodeBoard } from "@cairn/drive";
import type { Env } from "@cairn/env";
import { NodeDisk } from "@cairn/env-node";
import type { MetadataService } from "@cairn/protocol";
import { chunkServicesAt } from "@cairn/remote";
import { LocalDisks, shortCircuitAt } from "@cairn/storage-node";

/** The data path of a gateway over its metadata service; chunks go straight to the nodes, and come from disks of its own machine. */
export function driveParts(
  env: Env,
  metadata: MetadataService,
  localDisks: readonly string[],
): { reader: DriveReader; writer: DriveWriter } {
  const holder = "gateway";
  const disks = new LocalDisks(
    env.clock,
    localDisks.map((folder) => new NodeDisk(folder)),
  );
  const overNetwork = chunkServicesAt(env);
  const chunksAt = localDisks.length === 0 ? overNetwork : shortCircuitAt(overNetwork, { hasher: env.hasher, disks });
  const services = { metadata, chunksAt, nodes: new NodeBoard(env, chunksAt) };
  return { reader: new DriveReader(env, services), writer: new DriveWriter(env, services, { holder }) };
}
