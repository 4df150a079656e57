import { type ChunkId, type DataPathService, type DriveId, type GroupId, limits, succeeded } from "@cairn/protocol";
import type { DriveEnv } from "../drive-env.ts";
import { Batcher } from "../nodes/batcher.ts";
import { NodeBoard } from "../nodes/node-board.ts";
import { patience, retrying } from "../retry.ts";
import type { DriveServices } from "../services.ts";
import { ByteWindow } from "./byte-window.ts";
import { Committer } from "./committer.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { ReplicatedWrite } from "./replicated-write.ts";

const drivesMax = 1024;
const lookupsInFlightMax = 2;

export interface WritePathOptions {
  readonly holder: string;
  readonly windowBytesMax: number;
}

/** What all writes of a process share. */
export class WritePath implements AsyncDisposable {
  readonly env: DriveEnv;
  readonly metadata: DataPathService;
  readonly replicated: ReplicatedWrite;
  readonly committer: Committer;
  /** Bytes of chunks on their way, over all files. */
  readonly window: ByteWindow;
  readonly #holder: string;
  readonly #drives = new Map<DriveId, DrivePath>();

  constructor(env: DriveEnv, services: DriveServices, options: WritePathOptions) {
    this.env = env;
    this.metadata = services.metadata;
    this.replicated = new ReplicatedWrite(env, services.nodes ?? new NodeBoard(env, services.chunksAt));
    this.committer = new Committer(env, services.metadata);
    this.window = new ByteWindow(options.windowBytesMax);
    this.#holder = options.holder;
  }

  drive(drive: DriveId): DrivePath {
    const known = this.#drives.get(drive);
    if (known) return known;
    const made = new DrivePath(this.env, this.metadata, { drive, holder: this.#holder });
    this.#drives.set(drive, made);
    for (const [oldest, path] of this.#drives) {
      if (this.#drives.size <= drivesMax) break;
      this.#drives.delete(oldest);
      path.leases.retire();
    }
    return made;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#drives.values()].map(({ leases }) => leases[Symbol.asyncDispose]()));
    this.#drives.clear();
  }
}

/** What all writes to one drive share: its lease, and look-ups that leave together. */
export class DrivePath {
  readonly leases: LeaseKeeper;
  readonly #lookups: Batcher<ChunkId, GroupId | undefined>;

  constructor(env: DriveEnv, metadata: DataPathService, options: { drive: DriveId; holder: string }) {
    this.leases = new LeaseKeeper(env, metadata, options);
    this.#lookups = new Batcher({
      operation: "look up chunks",
      inFlightMax: lookupsInFlightMax,
      itemsMax: limits.lookupHashesMax,
      send: async (ids) => {
        const known = await retrying(env, { signal: undefined, patienceMs: patience.underWay }, () =>
          metadata.lookupChunks(options.drive, ids),
        );
        const groups = new Map(known.map(({ id, group }) => [id, group]));
        return ids.map((id) => succeeded(groups.get(id)));
      },
    });
  }

  /** The group that has the chunk already; undefined when it must be sent. */
  find(id: ChunkId, signal: AbortSignal): Promise<GroupId | undefined> {
    return this.#lookups.add(id, signal);
  }
}
