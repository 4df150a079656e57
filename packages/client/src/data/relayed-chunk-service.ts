import type { Clock } from "@cairn/env";
import { type ChunkService, isKind } from "@cairn/protocol";

const relayForMs = 300_000;

export interface RelayedChunksOptions {
  readonly clock: Clock;
  readonly direct: ChunkService;
  /** The way through the gateway; undefined while nobody knows the node's name. */
  readonly relay: () => ChunkService | undefined;
}

/**
 * The chunk service of a node: straight to it, or through the gateway when the way to the node is closed (another
 * network, a firewall). What worked is remembered for five minutes, then the straight way is tried again.
 */
export function relayedChunks(options: RelayedChunksOptions): ChunkService {
  const { clock, direct } = options;
  let relayUntil = Number.NEGATIVE_INFINITY;
  const either = async <Result>(work: (service: ChunkService) => Promise<Result>): Promise<Result> => {
    const remembered = clock.monotonic() < relayUntil ? options.relay() : undefined;
    if (remembered) return work(remembered);
    try {
      return await work(direct);
    } catch (error) {
      const relay = isKind(error, "unavailable") && error.details["unreachable"] === true ? options.relay() : undefined;
      if (!relay) throw error;
      const result = await work(relay);
      relayUntil = clock.monotonic() + relayForMs;
      return result;
    }
  };
  return {
    put: (write, signal) => either((service) => service.put(write, signal)),
    putMany: (writes, signal) => either((service) => service.putMany(writes, signal)),
    get: (read, signal) => either((service) => service.get(read, signal)),
    getMany: (reads, signal) => either((service) => service.getMany(reads, signal)),
    stat: (read, signal) => either((service) => service.stat(read, signal)),
    deleteExact: (chunks, command, signal) => direct.deleteExact(chunks, command, signal),
    inventory: (group, cursor, command, signal) => direct.inventory(group, cursor, command, signal),
    digests: (command, signal) => direct.digests(command, signal),
    identity: (command, signal) => direct.identity(command, signal),
  };
}
