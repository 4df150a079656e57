import type { Clock } from "@cairn/env";
import { type ChunkService, isKind, StorageError } from "@cairn/protocol";

const relayForMs = 300_000;

export interface RelayedChunksOptions {
  readonly clock: Clock;
  readonly direct: ChunkService;
  /** The way through the gateway; undefined while nobody knows the node's name. */
  readonly relay: () => ChunkService | undefined;
}

type Work<Result> = (service: ChunkService) => Promise<Result>;

/**
 * The chunk service of a node: straight to it, or through the gateway when the way to the node is closed (another
 * network, a firewall). What worked is remembered for five minutes, then the straight way is tried again.
 */
export function relayedChunks(options: RelayedChunksOptions): ChunkService {
  const { clock, direct } = options;
  let relayUntil = Number.NEGATIVE_INFINITY;
  const throughRelay = async <Result>(
    relay: ChunkService,
    work: Work<Result>,
    direct: StorageError,
  ): Promise<Result> => {
    try {
      return await work(relay);
    } catch (error) {
      // The gateway cannot reach the node either, or has no time for it: the way is no better than the straight one.
      if (!isKind(error, "unavailable", "overloaded")) throw error;
      relayUntil = Number.NEGATIVE_INFINITY;
      throw direct;
    }
  };
  const either = async <Result>(work: Work<Result>): Promise<Result> => {
    const remembered = clock.monotonic() < relayUntil ? options.relay() : undefined;
    if (remembered) return throughRelay(remembered, work, closed());
    try {
      return await work(direct);
    } catch (error) {
      if (!isKind(error, "unavailable") || error.details["unreachable"] !== true) throw error;
      const relay = options.relay();
      if (!relay) throw error;
      relayUntil = clock.monotonic() + relayForMs;
      return throughRelay(relay, work, error);
    }
  };
  return {
    put: (write, signal) => either((service) => service.put(write, signal)),
    putMany: (writes, signal) => either((service) => service.putMany(writes, signal)),
    get: (read, signal) => either((service) => service.get(read, signal)),
    getMany: (reads, signal) => either((service) => service.getMany(reads, signal)),
    stat: (read, signal) => either((service) => service.stat(read, signal)),
  };
}

function closed(): StorageError {
  return new StorageError("unavailable", "reach node", "neither straight nor through the gateway", {
    details: { unreachable: true },
  });
}
