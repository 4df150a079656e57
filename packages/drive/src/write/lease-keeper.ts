import { type DataPathService, type DriveId, isKind, StorageError } from "@cairn/protocol";
import type { DriveEnv } from "../drive-env.ts";
import { abortable } from "../nodes/deadline.ts";
import { patience, retrying } from "../retry.ts";
import { HeldLease } from "./held-lease.ts";

export interface LeaseKeeperOptions {
  readonly drive: DriveId;
  readonly holder: string;
}

/** Keeps one write lease of a drive open while there is work: opened at the first write, renewed, rotated, closed at the end. */
export class LeaseKeeper implements AsyncDisposable {
  readonly #env: DriveEnv;
  readonly #metadata: DataPathService;
  readonly #options: LeaseKeeperOptions;
  /** Retired leases stay until their writes have drained. */
  readonly #leases = new Set<HeldLease>();
  #current: HeldLease | undefined;
  #opening: Promise<HeldLease> | undefined;
  #disposed = false;

  constructor(env: DriveEnv, metadata: DataPathService, options: LeaseKeeperOptions) {
    this.#env = env;
    this.#metadata = metadata;
    this.#options = options;
  }

  /** A lease for one unit of work, held: release it. Throws as openLease. */
  async acquire(signal?: AbortSignal): Promise<HeldLease> {
    if (this.#disposed) throw new StorageError("cancelled", "open lease", "the writer was closed");
    const current = this.#current;
    if (current?.fit) return current.hold();
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    try {
      return (await abortable(this.#opening, signal, "open lease")).hold();
    } catch (error) {
      // An old lease is as good as a new one while the server that would give a new one is away.
      if (current?.alive && isKind(error, "unavailable", "overloaded")) return current.hold();
      throw error;
    }
  }

  /** Closes the lease when its writes have drained; a later write opens another. */
  retire(): void {
    this.#current?.retire();
    this.#current = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    await this.#opening?.catch(() => undefined);
    await Promise.all([...this.#leases].map((lease) => lease.close()));
    this.#leases.clear();
  }

  async #open(): Promise<HeldLease> {
    const { drive, holder } = this.#options;
    const granted = await retrying(this.#env, { signal: undefined, patienceMs: patience.atStart }, () =>
      this.#metadata.openLease(drive, holder),
    );
    const lease = new HeldLease(this.#env, this.#metadata, granted);
    this.#current?.retire();
    for (const old of this.#leases) if (!old.alive) this.#leases.delete(old);
    this.#current = lease;
    this.#leases.add(lease);
    lease.start();
    return lease;
  }
}
