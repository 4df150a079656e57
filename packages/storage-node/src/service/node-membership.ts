import type { Clock, Disk, Log, Metrics, Random } from "@cairn/env";
import {
  type DiskReport,
  type DiskState,
  fromBase64Url,
  isKind,
  type MembershipService,
  type NodeId,
  type Registration,
  StorageError,
  toHex,
} from "@cairn/protocol";
import type { DiskEngine } from "../engine/index.ts";
import { readNodeFile, writeNodeFile } from "./node-files.ts";

const nodeFile = "node.json";
const pauseMsMax = 10_000;

/** What a node keeps of its registration, so that it can serve while the metadata server is away. */
export type StoredRegistration = Registration;

export interface RegisterWish {
  /** Needed the first time only. */
  readonly joinToken: string | undefined;
  readonly node: NodeId | undefined;
  readonly url: string;
  readonly version: string;
  readonly bootNonce: string;
  readonly disks: readonly { readonly uuid: string; readonly disk: Disk }[];
}

interface MembershipEnv {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** The registration of an earlier start, or undefined for a node that has never joined. */
export function storedRegistration(home: Disk): Promise<StoredRegistration | undefined> {
  return readNodeFile<StoredRegistration>(home, nodeFile);
}

/**
 * Joins the cluster, or comes back to it. A node that has joined before goes on with what it knows when the metadata
 * server cannot be reached. Throws unauthenticated, conflict, and unavailable for a first join without a server.
 */
export async function registerNode(
  membership: MembershipService,
  home: Disk,
  { wish, env }: { wish: RegisterWish; env: MembershipEnv },
): Promise<Registration> {
  const stored = await storedRegistration(home);
  const secret = stored?.credential ?? wish.joinToken;
  if (secret === undefined) {
    throw new StorageError("unauthenticated", "join cluster", "the node has neither joined before nor a join token", {
      hint: "Make a token on the metadata server with: cairn node add --print-join-command",
    });
  }
  try {
    const registration = await membership.register({
      secret,
      node: stored?.node ?? wish.node,
      bootNonce: wish.bootNonce,
      url: wish.url,
      version: wish.version,
      disks: await Promise.all(wish.disks.map(async ({ uuid, disk }) => ({ uuid, ...(await disk.space()) }))),
    });
    await writeNodeFile(home, nodeFile, registration);
    return registration;
  } catch (error) {
    if (!stored || !isKind(error, "unavailable", "overloaded")) throw error;
    env.log.warn({ err: error }, "the metadata server cannot be reached; serving with what is known");
    return stored;
  }
}

/** Reports every 3 s how the node is; seals what it is told to. Runs until it is disposed of. */
export class HeartbeatLoop implements AsyncDisposable {
  readonly #env: MembershipEnv;
  readonly #membership: MembershipService;
  readonly #engines: readonly DiskEngine[];
  readonly #stop = new AbortController();
  readonly #wish: RegisterWish;
  readonly #home: Disk;
  #registration: Registration;
  #marks = new Map<DiskEngine, number>();
  #states = new Map<DiskEngine, DiskState>();
  #sequence = 0;
  #running: Promise<void> | undefined;

  constructor(
    env: MembershipEnv,
    membership: MembershipService,
    {
      registration,
      engines,
      wish,
      home,
    }: { registration: Registration; engines: readonly DiskEngine[]; wish: RegisterWish; home: Disk },
  ) {
    this.#env = env;
    this.#membership = membership;
    this.#engines = engines;
    this.#registration = registration;
    this.#wish = wish;
    this.#home = home;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const acknowledged = this.#env.metrics.gauge(
      "cairn_heartbeat_acknowledged_timestamp_seconds",
      "When a heartbeat was last answered",
    );
    let failures = 0;
    while (!this.#stop.signal.aborted) {
      try {
        await this.#beat();
        acknowledged.set(this.#env.clock.now() / 1000);
        if (failures > 0) this.#env.log.info({ failures }, "the metadata server answers again");
        failures = 0;
      } catch (error) {
        if (failures++ === 0) this.#env.log.warn({ err: error }, "heartbeat failed; serving goes on");
      }
      const base = failures === 0 ? this.#registration.heartbeatMs : Math.min(500 * 2 ** failures, pauseMsMax);
      await this.#pause(failures === 0 ? base : base * (0.5 + this.#env.random.fraction()));
    }
  }

  /** Waits, and wakes up at once when a disk's state has changed. */
  async #pause(ms: number): Promise<void> {
    const step = 500;
    for (let waited = 0; waited < ms && !this.#stop.signal.aborted; waited += step) {
      try {
        await this.#env.clock.sleep(Math.min(step, ms - waited), this.#stop.signal);
      } catch {
        return;
      }
      for (const engine of this.#engines) {
        const seen = this.#states.get(engine);
        if (seen !== undefined && seen !== engine.health(seen)) return;
      }
    }
  }

  async #beat(): Promise<void> {
    const changes = this.#engines.map((engine) => ({ engine, ...engine.changedSince(this.#marks.get(engine) ?? 0) }));
    const { node, credential } = this.#registration;
    try {
      const reply = await this.#membership.heartbeat({
        node,
        credential,
        bootNonce: this.#wish.bootNonce,
        sequence: ++this.#sequence,
        disks: await Promise.all(this.#engines.map((engine) => this.#report(engine))),
        groups: changes.flatMap(({ groups }) => groups),
      });
      // Only what was acknowledged need not be told again.
      for (const { engine, mark } of changes) this.#marks.set(engine, Math.max(mark, 1));
      for (const group of reply.seal) for (const engine of this.#engines) await engine.seal(group);
    } catch (error) {
      if (!isKind(error, "stale")) throw error;
      this.#registration = await registerNode(this.#membership, this.#home, { wish: this.#wish, env: this.#env });
      this.#marks.clear();
      this.#sequence = 0;
    }
  }

  async #report(engine: DiskEngine): Promise<DiskReport> {
    const space = await engine.space();
    const state = engine.state(space);
    this.#states.set(engine, state);
    const digests = engine.digests();
    return {
      disk: engine.identity.disk,
      state,
      ...space,
      chunks: digests.reduce((sum, { records }) => sum + records, 0),
      chunkBytes: digests.reduce((sum, { bytes }) => sum + bytes, 0),
    };
  }
}

/** 32 bytes of a key that travelled as base64url. */
export function keyBytes(text: string): Uint8Array {
  const bytes = fromBase64Url(text);
  if (bytes.length !== 32) throw new StorageError("corrupt", "read key", "a key has 32 bytes");
  return bytes;
}

/** 32 hex digits of chance: a disk's uuid, a boot nonce. */
export function newUuid(random: Random): string {
  return toHex(random.bytes(16));
}
