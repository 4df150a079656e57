import type { Clock, Counter, CrashPoint, Hasher, Metrics } from "@cairn/env";
import {
  asStorageError,
  type ChunkServiceAt,
  type CommandClaims,
  type CopyOrder,
  type CopyResult,
  type DiskId,
  failed,
  type GroupId,
  limits,
  type Outcome,
  StorageError,
  succeeded,
  type WantedCopy,
} from "@cairn/protocol";
import type { Bell } from "./bell.ts";
import type { CaredDisk } from "./cared-disk.ts";
import type { CommandGate } from "./command-gate.ts";
import { CopyFetch, type FetchedCopy } from "./copy-fetch.ts";
import type { LiveSettings } from "./live-settings.ts";
import { OrderLanes } from "./order-lanes.ts";
import { Pacer } from "./pacer.ts";

/** Bytes and chunks of an order that are in memory at once. */
const windowBytesMax: number = limits.batchBytesMax;
const windowChunksMax = 64;
/** The pace until the leader has told one: it does order, so it does not stand still. */
const repairBytesDefault = 50 * 2 ** 20;

export interface CopyIntakeParts {
  readonly clock: Clock;
  readonly hasher: Hasher;
  readonly crashPoint: CrashPoint;
  readonly metrics: Metrics;
  readonly bell: Bell;
  readonly settings: LiveSettings;
  readonly chunksAt: ChunkServiceAt;
  readonly disks: readonly CaredDisk[];
}

/** The names of the crash points of copying; a test sees that each is reached. */
export const copyCrashPoints: readonly string[] = ["node.copy.after-fetch", "node.copy.after-adopt"];

/** Makes the copies that the leader orders: fetched from other nodes, checked, synced to one disk of this node. */
export class CopyIntake {
  readonly #parts: CopyIntakeParts;
  readonly #lanes: OrderLanes;
  readonly #pacers = new Map<DiskId, Pacer>();
  readonly #copied: Counter;
  readonly #bytes: Counter;

  constructor(parts: CopyIntakeParts) {
    this.#parts = parts;
    this.#lanes = new OrderLanes(parts.clock, parts.bell);
    this.#copied = parts.metrics.counter("cairn_copy_chunks_total", "Copies that the leader ordered", [
      "disk",
      "outcome",
    ]);
    this.#bytes = parts.metrics.counter("cairn_copy_fetched_bytes_total", "Bytes fetched from other nodes", ["disk"]);
  }

  /**
   * See NodeCommandService.copyIn; the order's form was checked. What was not begun when the command's time was over, or when a
   * newer leader had spoken, is told as unavailable or stale. Throws forbidden (not a disk of this node), conflict, overloaded.
   */
  async copy(
    order: CopyOrder,
    { claims, gate, signal }: { claims: CommandClaims; gate: CommandGate; signal: AbortSignal },
  ): Promise<readonly Outcome<CopyResult>[]> {
    const engine = this.#engineOf(order);
    const { clock, settings } = this.#parts;
    if (repairRate(settings) === 0) {
      throw new StorageError("overloaded", "copy chunks", "the pace of repair is set to 0", {
        hint: "Raise repair.rate.",
      });
    }
    return await this.#lanes.run(order, signal, async (stopped) => {
      const over = new AbortController();
      const end = (): void => over.abort();
      const timer = clock.after(Math.max(claims.expiresAt - clock.now(), 0), end);
      stopped.addEventListener("abort", end, { once: true });
      if (stopped.aborted) end();
      try {
        return await this.#copyAll(engine, order, { signal: over.signal, mayGoOn: () => this.#mayGoOn(gate, claims) });
      } finally {
        timer.cancel();
        stopped.removeEventListener("abort", end);
      }
    });
  }

  /** Before a group is dropped from a disk: nothing that was ordered for it comes after. */
  stop(disk: DiskId, group: GroupId): Promise<void> {
    return this.#lanes.stop(disk, group);
  }

  close(): Promise<void> {
    return this.#lanes.close();
  }

  async #copyAll(
    engine: CaredDisk,
    order: CopyOrder,
    { signal, mayGoOn }: { signal: AbortSignal; mayGoOn: () => StorageError | undefined },
  ): Promise<readonly Outcome<CopyResult>[]> {
    const fetch = new CopyFetch(order, this.#parts);
    const outcomes: Outcome<CopyResult>[] = [];
    for (const window of windowsOf(order.chunks)) {
      const refusal = mayGoOn() ?? (signal.aborted ? timeIsOver() : undefined);
      outcomes.push(
        ...(refusal
          ? window.map(() => ({ ok: false as const, error: refusal }))
          : await this.#copyWindow(window, { engine, order, fetch }, signal)),
      );
    }
    for (const outcome of outcomes) {
      this.#copied.add(1, { disk: String(order.disk), outcome: outcome.ok ? "ok" : outcome.error.kind });
    }
    return outcomes;
  }

  async #copyWindow(
    window: readonly WantedCopy[],
    { engine, order, fetch }: { engine: CaredDisk; order: CopyOrder; fetch: CopyFetch },
    signal: AbortSignal,
  ): Promise<readonly Outcome<CopyResult>[]> {
    try {
      await this.#pacerOf(order.disk).spend(sumOf(window), signal);
    } catch {
      return window.map(() => ({ ok: false, error: timeIsOver() }));
    }
    const standing = await Promise.all(window.map((wanted) => this.#look(engine, order, wanted)));
    const lacking = window.filter((_, index) => standing[index] === undefined);
    const fetched = (lacking.length > 0 ? await fetch.fetch(lacking, signal) : []).values();
    this.#parts.crashPoint("node.copy.after-fetch");
    const outcomes = await Promise.all(
      window.map(
        (wanted, index) => standing[index] ?? this.#adopt(engine, { order, wanted, copy: fetched.next().value }),
      ),
    );
    this.#parts.crashPoint("node.copy.after-adopt");
    return outcomes;
  }

  /** What can be said of a chunk without fetching it: a sound copy is there, or it must not come back. */
  async #look(
    engine: CaredDisk,
    { group }: CopyOrder,
    { id, generation }: WantedCopy,
  ): Promise<Outcome<CopyResult> | undefined> {
    try {
      const found = await engine.check(group, id, generation);
      if (found === "sound") return succeeded({ fetchedBytes: 0, badSources: [] });
      if (found !== "deleted") return undefined;
      return failed(new StorageError("stale", "copy chunk", `${id} was deleted here`), "copy chunk");
    } catch (error) {
      return failed(asStorageError(error, "copy chunk"), "copy chunk");
    }
  }

  async #adopt(
    engine: CaredDisk,
    { order, wanted, copy }: { order: CopyOrder; wanted: WantedCopy; copy: Outcome<FetchedCopy> | undefined },
  ): Promise<Outcome<CopyResult>> {
    if (!copy?.ok) return copy ?? { ok: false, error: timeIsOver() };
    const { group, epoch, disk } = order;
    const { id, generation } = wanted;
    const { bytes, badSources } = copy.value;
    this.#bytes.add(bytes.length, { disk: String(disk) });
    const outcome = await engine.adopt({ group, epoch, id, generation, bytes });
    return outcome.ok ? succeeded({ fetchedBytes: bytes.length, badSources }) : outcome;
  }

  #engineOf({ disk, group }: CopyOrder): CaredDisk {
    const engine = this.#parts.disks.find(({ identity }) => identity.disk === disk);
    if (!engine) {
      throw new StorageError("forbidden", "copy chunks", `disk ${disk} is not on this node`, {
        hint: "Send the order to the node that has the disk.",
      });
    }
    const other = this.#parts.disks.find((it) => it !== engine && it.holds(group));
    if (!other) return engine;
    throw new StorageError("conflict", "copy chunks", `group ${group} is on disk ${other.identity.disk} of this node`, {
      hint: "Two copies on one node fail together. Drop the other one first.",
    });
  }

  #pacerOf(disk: DiskId): Pacer {
    const { clock, bell, settings } = this.#parts;
    const pacer = this.#pacers.get(disk) ?? new Pacer({ clock, bell, rate: () => repairRate(settings) });
    this.#pacers.set(disk, pacer);
    return pacer;
  }

  /** Why the next window of an order must not be begun, if it must not. */
  #mayGoOn(gate: CommandGate, claims: CommandClaims): StorageError | undefined {
    if (!gate.isCurrent(claims)) {
      return new StorageError("stale", "copy chunks", "another leader commands this node by now");
    }
    return claims.expiresAt <= this.#parts.clock.now() ? timeIsOver() : undefined;
  }
}

function repairRate(settings: LiveSettings): number {
  return settings.current?.repairBytesPerSecond ?? repairBytesDefault;
}

/** Runs of chunks that are in memory together. */
function windowsOf(chunks: readonly WantedCopy[]): readonly (readonly WantedCopy[])[] {
  const windows: WantedCopy[][] = [];
  let bytes = 0;
  for (const chunk of chunks) {
    const last = windows.at(-1);
    if (last && last.length < windowChunksMax && bytes + chunk.length <= windowBytesMax) {
      last.push(chunk);
      bytes += chunk.length;
    } else {
      windows.push([chunk]);
      bytes = chunk.length;
    }
  }
  return windows;
}

function sumOf(chunks: readonly WantedCopy[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0);
}

function timeIsOver(): StorageError {
  return new StorageError("unavailable", "copy chunks", "the order was stopped, or its time was over", {
    hint: "Send what is missing again.",
  });
}
