import type { Clock, Log, Metrics, Random } from "@cairn/env";
import {
  asStorageError,
  type DiskReport,
  type DiskState,
  type ErrorKind,
  type GroupId,
  type HeartbeatReply,
  type HeartbeatRequest,
  isKind,
  type MembershipService,
  type Registration,
  StorageError,
} from "@cairn/protocol";
import type { DiskEngine } from "../engine/index.ts";
import { DiskMeters } from "./disk-meters.ts";
import type { Housekeeping } from "./housekeeping.ts";
import { heartbeatMsOf, type NodeRegistration } from "./node-registration.ts";

const firstPauseMs = 500;
const pauseMsMax = 10_000;
/** How soon a disk's new state is noticed and told. */
const lookMs = 250;

/** What a heartbeat tells of the upkeep of the disks, and what its answer says about it. */
export type HeartbeatCare = Pick<Housekeeping, "settings" | "verified" | "damage" | "scrubStatus" | "startScrub">;

export interface HeartbeatParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly membership: MembershipService;
  readonly registration: NodeRegistration;
  readonly engines: readonly DiskEngine[];
  readonly bootNonce: string;
  readonly care: HeartbeatCare;
  /** The node registered again: its keys may be new. */
  readonly renewed: (registration: Registration) => void;
  /** Another process lives under this node's name: serving on would acknowledge what nobody finds again. */
  readonly displaced: (error: StorageError) => void;
}

/**
 * Reports how the node is: at once when a disk's state changes, else when the time has come; seals what it is told to.
 * While the metadata server is away it tries again with growing, random pauses. Runs until it is disposed of.
 */
export class HeartbeatLoop implements AsyncDisposable {
  readonly #parts: HeartbeatParts;
  readonly #stop = new AbortController();
  readonly #marks = new Map<DiskEngine, number>();
  readonly #states = new Map<DiskEngine, DiskState>();
  readonly #meters: DiskMeters;
  #registered: Registration;
  #sequence = 0;
  #failures = 0;
  #moreDamage = false;
  /** True: the next heartbeat is to name all groups. */
  #everything = true;
  #lastFailure: ErrorKind | undefined;
  #running: Promise<void> | undefined;

  constructor(parts: HeartbeatParts, registered: Registration) {
    this.#parts = parts;
    this.#registered = registered;
    this.#meters = new DiskMeters(parts.metrics);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** The next heartbeat tells of every group, so that the server learns which are gone. */
  tellEverything(): void {
    this.#everything = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, random, metrics } = this.#parts;
    const acknowledged = metrics.gauge(
      "cairn_heartbeat_acknowledged_timestamp_seconds",
      "When a heartbeat was last answered",
    );
    while (!this.#stop.signal.aborted) {
      try {
        await this.#beat();
        acknowledged.set(clock.now() / 1000);
        this.#succeeded();
        await this.#pause(this.#moreDamage ? lookMs : heartbeatMsOf(this.#registered));
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        this.#failed(asStorageError(error, "send heartbeat"));
        const most = Math.min(firstPauseMs * 2 ** Math.min(this.#failures, 16), pauseMsMax);
        await this.#pause(firstPauseMs / 2 + random.fraction() * most);
      }
    }
  }

  #succeeded(): void {
    if (this.#failures > 0) {
      this.#parts.log.info({ failures: this.#failures }, "the metadata server answers again");
    }
    this.#failures = 0;
    this.#lastFailure = undefined;
  }

  #failed(error: StorageError): void {
    this.#failures++;
    // One line for each new reason, not one for each try.
    if (error.kind !== this.#lastFailure) {
      this.#parts.log.warn({ err: error }, "heartbeat failed; it is tried again");
    }
    this.#lastFailure = error.kind;
  }

  /** Waits, and wakes up at once when a disk's state has changed. */
  async #pause(ms: number): Promise<void> {
    for (let waited = 0; waited < ms && !this.#stop.signal.aborted; waited += lookMs) {
      try {
        await this.#parts.clock.sleep(Math.min(lookMs, ms - waited), this.#stop.signal);
      } catch {
        // Only the stop signal ends a sleep early.
        return;
      }
      for (const [engine, told] of this.#states) if (engine.health(told) !== told) return;
    }
  }

  async #beat(): Promise<void> {
    try {
      await this.#tell();
    } catch (error) {
      if (!isKind(error, "stale", "unauthenticated")) throw error;
      await this.#register();
      await this.#tell();
    }
  }

  /** What is not among the groups has not changed since a heartbeat that was answered. */
  async #tell(): Promise<void> {
    const { engines, bootNonce, care } = this.#parts;
    const disks = await Promise.all(engines.map((engine) => this.#report(engine)));
    const everything = this.#everything;
    this.#everything = false;
    const changes = engines.map((engine) => ({
      engine,
      ...engine.changedSince(everything ? 0 : (this.#marks.get(engine) ?? 0)),
    }));
    const [damaged, verified] = [care.damage.next(), care.verified.next()];
    const { node, credential } = this.#registered;
    const request: HeartbeatRequest = {
      ...{ node, credential, bootNonce, sequence: ++this.#sequence, disks },
      groups: changes.flatMap((change) => change.groups),
      damaged: damaged.copies,
      verified: verified.groups,
      scrub: care.scrubStatus(),
      ...(everything ? { everything } : {}),
    };
    const reply = await this.#send(request);
    for (const { engine, mark } of changes) this.#marks.set(engine, mark);
    damaged.told();
    verified.told();
    this.#moreDamage = damaged.more;
    care.settings.apply(reply.settings);
    if (reply.everything) this.tellEverything();
    for (const group of reply.seal) await this.#seal(group);
  }

  /** Until it is answered, nobody may have heard it. */
  async #send(request: HeartbeatRequest): Promise<HeartbeatReply> {
    try {
      return await this.#unlessStopped(this.#parts.membership.heartbeat(request));
    } catch (error) {
      if (request.everything) this.#everything = true;
      throw error;
    }
  }

  /** The server does not know this process or its credential: it registers, and tells everything anew. */
  async #register(): Promise<void> {
    const { registration, renewed, displaced, care, log } = this.#parts;
    try {
      this.#registered = await this.#unlessStopped(registration.renew());
    } catch (error) {
      if (isKind(error, "conflict")) displaced(error);
      throw error;
    }
    renewed(this.#registered);
    this.#everything = true;
    care.damage.forget();
    this.#sequence = 0;
    log.info({ node: this.#registered.node }, "registered again");
  }

  /** A group that cannot be sealed is told to be sealed again; it must not keep the node from being heard. */
  async #seal(group: GroupId): Promise<void> {
    for (const engine of this.#parts.engines) {
      try {
        await engine.seal(group);
      } catch (error) {
        this.#parts.log.error(
          { err: error, group },
          "a group could not be sealed; it is tried with the next heartbeat",
        );
      }
    }
  }

  async #report(engine: DiskEngine): Promise<DiskReport> {
    const { disk } = engine.identity;
    const digests = engine.digests();
    const chunks = digests.reduce((sum, { records }) => sum + records, 0);
    const chunkBytes = digests.reduce((sum, { bytes }) => sum + bytes, 0);
    const { state, ...space } = await this.#look(engine);
    const report = { disk, state, ...space, chunks, chunkBytes };
    // Clients turn away from it, so nobody but the scrub would notice that it cannot be read either.
    if (state === "suspect" && this.#states.get(engine) !== state) this.#parts.care.startScrub(disk);
    this.#states.set(engine, state);
    this.#meters.show(report);
    return report;
  }

  /** A disk that cannot even be measured is reported as failed; the other disks are heard all the same. */
  async #look(engine: DiskEngine): Promise<Pick<DiskReport, "state" | "totalBytes" | "freeBytes">> {
    try {
      const space = await engine.space();
      return { state: engine.state(space), ...space };
    } catch (error) {
      if (this.#states.get(engine) !== "failed") {
        this.#parts.log.error({ err: error, disk: engine.identity.disk }, "the disk cannot be measured");
      }
      return { state: "failed", totalBytes: 0, freeBytes: 0 };
    }
  }

  /** A server that does not answer must not keep the node from stopping. */
  async #unlessStopped<Result>(call: Promise<Result>): Promise<Result> {
    const { signal } = this.#stop;
    let stopped = (): void => undefined;
    const stop = new Promise<never>((_, reject) => {
      stopped = () => reject(new StorageError("cancelled", "send heartbeat", "the node stops"));
    });
    signal.addEventListener("abort", stopped, { once: true });
    try {
      if (signal.aborted) stopped();
      return await Promise.race([call, stop]);
    } finally {
      signal.removeEventListener("abort", stopped);
    }
  }
}
