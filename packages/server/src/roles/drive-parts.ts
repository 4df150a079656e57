import { DriveReader, DriveWriter, NodeBoard } from "@cairn/drive";
import type { Env } from "@cairn/env";
import type { MetadataService } from "@cairn/protocol";
import { chunkServicesAt } from "@cairn/remote";

/** The data path of a process over its metadata service; chunks go straight to the nodes. */
export function driveParts(
  env: Env,
  metadata: MetadataService,
  holder: string,
): { reader: DriveReader; writer: DriveWriter } {
  const chunksAt = chunkServicesAt(env);
  const services = { metadata, chunksAt, nodes: new NodeBoard(env, chunksAt) };
  return { reader: new DriveReader(env, services), writer: new DriveWriter(env, services, { holder }) };
}
