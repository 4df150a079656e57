import { DriveReader, DriveWriter, NodeBoard } from "@cairn/drive";
import type { ChunkServiceAt, MetadataService } from "@cairn/protocol";
import { chunkServicesAt, remoteMetadata } from "@cairn/remote";
import type { Machine } from "./machine.ts";
import { metadataUrl } from "./metadata-host.ts";

/** What a running client has in hand. */
export interface ClientParts {
  readonly metadata: MetadataService;
  readonly chunksAt: ChunkServiceAt;
  readonly reader: DriveReader;
  readonly writer: DriveWriter;
}

/** A machine with a program that uses the drive library. */
export class ClientHost {
  readonly machine: Machine;
  #parts: ClientParts | undefined;

  constructor(machine: Machine) {
    this.machine = machine;
  }

  get parts(): ClientParts {
    if (!this.#parts || !this.machine.running) this.#parts = this.#begin();
    return this.#parts;
  }

  kill(): void {
    this.machine.life.end();
  }

  #begin(): ClientParts {
    const env = this.machine.begin();
    const { network, clock, random, hasher } = env;
    const metadata = remoteMetadata({ network, clock, random, base: `${metadataUrl}/cluster/v1/metadata` });
    const chunksAt = chunkServicesAt({ network, hasher });
    const services = { metadata, chunksAt, nodes: new NodeBoard(env, chunksAt) };
    return {
      metadata,
      chunksAt,
      reader: new DriveReader(env, services),
      writer: new DriveWriter(env, services, { holder: this.machine.name }),
    };
  }
}
