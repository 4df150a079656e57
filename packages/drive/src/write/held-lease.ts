import {
  assert,
  type DataPathService,
  type Generation,
  generationOf,
  generationsPerLease,
  isKind,
  type Lease,
  type LeaseId,
  limits,
  type WritableGroup,
} from "@cairn/protocol";
import type { DriveEnv } from "../drive-env.ts";

const renewSoonMs = 2000;
const refreshPauseMs = 1000;

/**
 * One open lease and its renewal. Whoever writes under it holds it: it is closed for good only when it is retired and
 * nobody holds it any more.
 */
export class HeldLease {
  readonly id: LeaseId;
  readonly chunkBytes: number;
  readonly openedAt: number;
  readonly #env: DriveEnv;
  readonly #metadata: DataPathService;
  #copies: number;
  #groups: readonly WritableGroup[];
  #counter = 0;
  #holders = 0;
  #idleSince: number;
  #refreshedAt: number;
  #state: "open" | "retired" | "lost" | "closed" = "open";
  #refreshing: Promise<void> | undefined;
  #timer: { cancel(): void } | undefined;

  constructor(env: DriveEnv, metadata: DataPathService, lease: Lease) {
    this.#env = env;
    this.#metadata = metadata;
    this.id = lease.id;
    this.chunkBytes = lease.chunkBytes;
    this.#copies = lease.copies;
    this.#groups = lease.groups;
    this.openedAt = env.clock.monotonic();
    this.#idleSince = this.openedAt;
    this.#refreshedAt = this.openedAt;
  }

  /** How many copies the drive keeps, as of the last renewal. */
  get copies(): number {
    return this.#copies;
  }

  /** Groups that may be written to, as of the last renewal; each has so many copies. */
  get groups(): readonly WritableGroup[] {
    return this.#groups;
  }

  /** True when new work may start under this lease. */
  get fit(): boolean {
    const age = this.#env.clock.monotonic() - this.openedAt;
    return this.#state === "open" && age < limits.leaseRotateMs && this.#counter < generationsPerLease / 2;
  }

  /** True while the metadata server has not said that the lease is closed. */
  get alive(): boolean {
    return this.#state === "open" || this.#state === "retired";
  }

  /** Begins to renew; ends with close. */
  start(): void {
    this.#renewIn(limits.leaseRenewMs);
  }

  nextGeneration(): Generation {
    assert(this.#counter < generationsPerLease, "a lease is rotated before its counters end");
    return generationOf(this.id, this.#counter++);
  }

  hold(): this {
    this.#holders++;
    return this;
  }

  release(): void {
    assert(this.#holders > 0, "a lease is released once for each hold");
    this.#holders--;
    this.#idleSince = this.#env.clock.monotonic();
    if (this.#state === "retired" && this.#holders === 0) void this.close();
  }

  /** No new work; closes as soon as nobody holds it. */
  retire(): void {
    if (this.#state !== "open") return;
    this.#state = "retired";
    if (this.#holders === 0) void this.close();
  }

  /**
   * Makes sure that groups and tokens were asked for after `since` (monotonic ms; default: a second ago). Many callers
   * share one request.
   */
  async refresh(since: number = this.#env.clock.monotonic() - refreshPauseMs): Promise<void> {
    await this.#refreshing?.catch(() => undefined);
    if (this.#refreshedAt >= since) return;
    await this.#renew();
  }

  /** Final: nothing is ever committed under this lease again. If the metadata server is away, the lease ends by itself. */
  async close(): Promise<void> {
    if (this.#state === "closed") return;
    const lost = this.#state === "lost";
    this.#state = "closed";
    this.#timer?.cancel();
    if (lost) return;
    try {
      await this.#metadata.closeLease(this.id);
    } catch (err) {
      this.#env.log.debug({ lease: this.id, err }, "a lease could not be closed and will run out");
    }
  }

  #renewIn(ms: number): void {
    this.#timer = this.#env.clock.after(ms, () => {
      const idleMs = this.#env.clock.monotonic() - this.#idleSince;
      if (this.#holders === 0 && idleMs > limits.leaseTtlMs) this.retire();
      else void this.#renewAndGoOn();
    });
  }

  async #renewAndGoOn(): Promise<void> {
    let next: number = limits.leaseRenewMs;
    try {
      await this.#renew();
    } catch (err) {
      this.#env.log.warn({ lease: this.id, err }, "a write lease could not be renewed");
      next = renewSoonMs;
    }
    if (this.alive) this.#renewIn(next);
  }

  #renew(): Promise<void> {
    this.#refreshing ??= this.#askForRenewal().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #askForRenewal(): Promise<void> {
    this.#refreshedAt = this.#env.clock.monotonic();
    try {
      const { copies, groups } = await this.#metadata.renewLease(this.id);
      this.#copies = copies;
      this.#groups = groups;
    } catch (error) {
      if (isKind(error, "stale", "not-found") && this.#state !== "closed") this.#state = "lost";
      throw error;
    }
  }
}
