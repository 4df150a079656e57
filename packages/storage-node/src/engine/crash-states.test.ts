import { NodeHasher } from "@cairn/env-node";
import { type GroupId, type Outcome, unwrap } from "@cairn/protocol";
import {
  CrashDisk,
  type CrashDiskOptions,
  type CrashState,
  FaultyDisk,
  MemoryDisk,
  VirtualClock,
} from "@cairn/simulator";
import { describe, expect, test } from "vitest";
import type { DiskEngine, EnginePut } from "./disk-engine.ts";
import { engineCrashPoints } from "./engine-parts.ts";
import { chunkOf, engineEnv, openEngine, putOf, smallSegments, type TestChunk } from "./testing/engine-fixture.ts";

const hasher = new NodeHasher();
const group1 = 1 as GroupId;
const group2 = 2 as GroupId;
const group3 = 3 as GroupId;
const group4 = 4 as GroupId;

/** One put or delete, and how many operations the disk had seen when it was begun and when it was acknowledged. */
interface LedgerEntry {
  readonly kind: "put" | "delete";
  readonly group: GroupId;
  readonly chunk: TestChunk;
  readonly epoch: number;
  readonly begun: number;
  acknowledged: number | undefined;
}

/** Runs puts and deletes on a disk that crashes, and notes what was promised when. */
class Run {
  readonly disk: CrashDisk;
  readonly ledger: LedgerEntry[] = [];
  readonly reached = new Set<string>();
  readonly #clock = new VirtualClock();
  #dieAt: { name: string; count: number } | undefined;
  #process = { dead: false };
  #number = 0;

  constructor(options: CrashDiskOptions = {}) {
    this.disk = new CrashDisk(options);
  }

  /** The process is killed when it reaches this crash point for the count-th time; the disk lives on. */
  killAt(name: string, count: number): void {
    this.#dieAt = { name, count };
  }

  get dead(): boolean {
    return this.#process.dead;
  }

  open(): Promise<DiskEngine> {
    const process = { dead: false };
    this.#process = process;
    const crashPoint = (name: string): void => {
      this.reached.add(name);
      if (this.#dieAt?.name !== name || --this.#dieAt.count > 0) return;
      process.dead = true;
      throw new Error("killed here");
    };
    // A dead process does nothing any more, not even in its finally blocks.
    const disk = new FaultyDisk(this.disk, () => (process.dead ? { fault: "io-error" } : undefined));
    return openEngine(engineEnv({ hasher, clock: this.#clock, crashPoint }), disk, smallSegments);
  }

  /** The process ends without closing anything, and a new one starts on the same disk with the same page cache. */
  restart(): Promise<DiskEngine> {
    this.#process.dead = true;
    this.#dieAt = undefined;
    this.disk.endProcess();
    return this.open();
  }

  /** Clients send again what was not acknowledged. */
  async repeat(engine: DiskEngine): Promise<void> {
    for (const entry of this.ledger.filter((it) => it.acknowledged === undefined)) {
      const { kind, group, chunk, epoch } = entry;
      const [outcome] =
        kind === "put"
          ? [await engine.adopt(putOf(chunk, { group, epoch }))]
          : await engine.deleteExact([{ group, ...chunk }]);
      if (outcome?.ok) this.#acknowledge(entry);
    }
  }

  put(engine: DiskEngine, group: GroupId, sizes: readonly number[], epoch = 1): Promise<TestChunk[]> {
    return this.#write((puts) => engine.putMany(puts), { group, sizes, epoch });
  }

  adopt(engine: DiskEngine, group: GroupId, sizes: readonly number[]): Promise<TestChunk[]> {
    return this.#write((puts) => Promise.all(puts.map((put) => engine.adopt(put))), { group, sizes, epoch: 3 });
  }

  /** Gives back the bytes of what was deleted, which is known by the second. */
  async compact(engine: DiskEngine, group: GroupId, segment: number): Promise<void> {
    await this.#clock.advance(1000);
    const free = { pace: async () => undefined, signal: new AbortController().signal };
    const { freedBytes } = await engine.compact({ group, segment, trashMs: 0, ...free });
    expect(freedBytes).toBeGreaterThan(0);
  }

  async drop(engine: DiskEngine, group: GroupId): Promise<void> {
    const puts = this.ledger.filter((it) => it.kind === "put" && it.group === group && it.acknowledged !== undefined);
    const entries = puts.map(({ chunk }) => this.#begin("delete", group, { chunk, epoch: 0 }));
    await engine.dropGroup(group);
    for (const entry of entries) this.#acknowledge(entry);
  }

  async #write(
    send: (puts: readonly EnginePut[]) => Promise<readonly Outcome<void>[]>,
    { group, sizes, epoch }: { group: GroupId; sizes: readonly number[]; epoch: number },
  ): Promise<TestChunk[]> {
    const chunks = await Promise.all(sizes.map((size) => chunkOf(hasher, this.#number++, size)));
    const entries = chunks.map((chunk) => this.#begin("put", group, { chunk, epoch }));
    const outcomes = await send(chunks.map((chunk) => putOf(chunk, { group, epoch })));
    for (const [index, outcome] of outcomes.entries()) if (outcome.ok) this.#acknowledge(entries[index]);
    return chunks;
  }

  async delete(engine: DiskEngine, group: GroupId, chunks: readonly (TestChunk | undefined)[]): Promise<void> {
    // Nobody deletes what was never acknowledged and may still be sent again.
    const there = chunks.filter((chunk) => chunk !== undefined).filter((chunk) => this.#isAcknowledged(chunk));
    const entries = there.map((chunk) => this.#begin("delete", group, { chunk, epoch: 0 }));
    const outcomes = await engine.deleteExact(there.map(({ id, generation }) => ({ group, id, generation })));
    for (const [index, outcome] of outcomes.entries()) if (outcome.ok) this.#acknowledge(entries[index]);
  }

  #isAcknowledged(chunk: TestChunk): boolean {
    return this.ledger.some((it) => it.kind === "put" && it.chunk === chunk && it.acknowledged !== undefined);
  }

  #begin(kind: "put" | "delete", group: GroupId, write: { chunk: TestChunk; epoch: number }): LedgerEntry {
    const entry = { kind, group, ...write, begun: this.disk.operations.length, acknowledged: undefined };
    this.ledger.push(entry);
    return entry;
  }

  #acknowledge(entry: LedgerEntry | undefined): void {
    if (entry && !this.#process.dead) entry.acknowledged = this.disk.operations.length;
  }
}

/** Puts in batches and alone, a segment that ends, deletes, a new epoch, a seal, compaction, copies, a drop, a restart. */
async function program(run: Run): Promise<void> {
  let engine = await run.open();
  const first = await run.put(engine, group1, [300, 0, 700]);
  await run.put(engine, group1, [5000]);
  const third = await run.put(engine, group1, [7000, 40], 2);
  await run.delete(engine, group1, [first[0], third[1]]);
  const other = await run.put(engine, group2, [900]);
  await engine.seal(group1);
  await run.delete(engine, group1, [first[2]]);
  const sealed = await run.put(engine, group3, [60]);
  await engine.seal(group3);
  await run.delete(engine, group3, sealed);
  await run.compact(engine, group1, 1);
  await run.adopt(engine, group1, [650, 20]);
  await run.put(engine, group4, [70, 80]);
  await run.drop(engine, group4);
  await engine[Symbol.asyncDispose]();
  engine = await run.open();
  await run.put(engine, group2, [500, 501]);
  await run.delete(engine, group2, other);
  await engine[Symbol.asyncDispose]();
}

/** Says what is wrong with a disk after a crash; undefined when every promise is kept. */
async function violation(run: Run, state: CrashState): Promise<string | undefined> {
  const disk = new MemoryDisk({ image: state.image });
  const clock = new VirtualClock();
  const open = (): Promise<DiskEngine> => openEngine(engineEnv({ hasher, clock }), disk, smallSegments);
  let engine: DiskEngine;
  try {
    engine = await open();
  } catch (error) {
    return `the engine does not open: ${error}`;
  }
  const wrong = (await brokenPromise(run, state, engine)) ?? (await inconsistency(engine));
  if (wrong) return wrong;
  // It goes on as if nothing had happened, and a clean restart changes nothing.
  const fresh = await chunkOf(hasher, 1000);
  const put = await engine.put(putOf(fresh, { group: group2, epoch: 9 }));
  if (!put.ok && put.error.kind !== "unavailable") return `a new put fails: ${put.error.message}`;
  const digests = JSON.stringify(engine.digests());
  await engine[Symbol.asyncDispose]();
  const again = await open();
  if (JSON.stringify(again.digests()) !== digests) return "the digests change with a clean restart";
  return (await brokenPromise(run, state, again)) ?? (await inconsistency(again));
}

async function brokenPromise(run: Run, state: CrashState, engine: DiskEngine): Promise<string | undefined> {
  for (const { kind, group, chunk, begun, acknowledged } of run.ledger) {
    if (kind === "delete") continue;
    const deletes = run.ledger.filter((it) => it.kind === "delete" && it.chunk === chunk);
    const mustBe = (acknowledged ?? Infinity) <= state.after && !deletes.some((it) => it.begun <= state.after);
    const mustNotBe = begun > state.after || deletes.some((it) => (it.acknowledged ?? Infinity) <= state.after);
    const bytes = await engine.read(group, chunk.id).then(
      (blocks) => blocks.bytes,
      (error) => error as { kind: string },
    );
    const there = bytes instanceof Uint8Array;
    const what = `the chunk of ${chunk.bytes.length} bytes in group ${group}`;
    if (mustBe && !there) return `${what} was acknowledged and is ${bytes.kind}`;
    if (mustNotBe && there) return `${what} was deleted, or never put, and is there`;
    if (!there && bytes.kind !== "not-found") return `${what} is ${bytes.kind}`;
    if (there && Buffer.compare(bytes, chunk.bytes) !== 0) return `${what} has other bytes`;
  }
  return undefined;
}

async function inconsistency(engine: DiskEngine): Promise<string | undefined> {
  for (const digest of engine.digests()) {
    const { chunks } = await engine.inventory(digest.group, undefined, 1000);
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    if (chunks.length !== digest.records || bytes !== digest.bytes)
      return `digest and inventory of ${digest.group} differ`;
  }
  const { damaged } = await engine.verify();
  return damaged > 0 ? `${damaged} live records are damaged` : undefined;
}

interface Findings {
  states: number;
  readonly violations: string[];
}

async function examine(run: Run, { stopAtFirst = false, first = 0 } = {}): Promise<Findings> {
  const findings: Findings = { states: 0, violations: [] };
  for (const state of run.disk.crashStates({ first })) {
    findings.states++;
    const wrong = await violation(run, state);
    if (wrong) findings.violations.push(`${state.name}: ${wrong}`);
    if (wrong && (stopAtFirst || findings.violations.length >= 5)) break;
  }
  return findings;
}

describe("after a power cut at any moment", () => {
  test("every acknowledged put is there, every acknowledged delete stays, and the rest is absent or whole", {
    timeout: 180_000,
  }, async () => {
    const run = new Run();
    await program(run);
    expect(run.ledger.every((entry) => entry.acknowledged !== undefined)).toBe(true);
    const { states, violations } = await examine(run);
    expect(violations).toEqual([]);
    expect(states).toBeGreaterThan(1000);
  });

  test("a disk whose data syncs do nothing breaks a promise, and the enumeration sees it", {
    timeout: 60_000,
  }, async () => {
    const run = new Run({ ignores: "sync-data" });
    await program(run);
    expect((await examine(run, { stopAtFirst: true })).violations).toHaveLength(1);
  });

  test("a disk whose folder syncs do nothing breaks a promise, and the enumeration sees it", {
    timeout: 60_000,
  }, async () => {
    const run = new Run({ ignores: "sync-folder" });
    await program(run);
    expect((await examine(run, { stopAtFirst: true })).violations).toHaveLength(1);
  });
});

describe("after the process was killed, restarted, and only then the power was cut", () => {
  const places = engineCrashPoints.flatMap((name) => [1, 2, 3, 4, 5, 6, 7].map((count) => ({ name, count })));
  test.each(places)("killed at $name, time $count", { timeout: 120_000 }, async ({ name, count }) => {
    const run = new Run();
    run.killAt(name, count);
    await program(run).catch((error) => {
      if (!run.dead) throw error;
    });
    if (!run.dead) return;
    expect(await restartAndExamine(run)).toEqual([]);
  });
});

describe("when one sync fails, later syncs succeed, and the power is cut", () => {
  // Of each kind of file at least one: segments, checkpoints, tombstones, indexes, before and after compaction.
  const syncs = [1, 2, 4, 5, 6, 8, 9, 10, 11, 12, 14, 15, 16, 17, 18, 19, 28, 29, 30, 31, 33, 36, 38, 41];
  test.each(syncs)("nothing is acknowledged and lost: sync number %i", { timeout: 120_000 }, async (failing) => {
    const run = new Run({ failSync: (_, count) => count === failing });
    await program(run).catch(() => undefined);
    expect((await examine(run, { first: run.disk.operations.length })).violations).toEqual([]);
    expect(await restartAndExamine(run)).toEqual([]);
  });
});

async function restartAndExamine(run: Run): Promise<readonly string[]> {
  const first = run.disk.operations.length;
  const engine = await run.restart();
  // No new epoch: its checkpoint would sync the folder, and hide what is missing.
  await run.repeat(engine);
  await run.put(engine, group2, [333]);
  const { states, violations } = await examine(run, { first });
  expect(states).toBeGreaterThan(10);
  return violations;
}

test("the program reaches every crash point", async () => {
  const run = new Run();
  await program(run);
  expect([...run.reached].sort()).toEqual([...engineCrashPoints].sort());
});

test("with a hasher that lies, wrong bytes get in: the check of the hash is what keeps them out", async () => {
  const chunk = await chunkOf(hasher, 1);
  const other = await chunkOf(hasher, 2);
  const lying = Object.assign(new NodeHasher(), { sha256: async () => Buffer.from(chunk.id, "hex") });
  const disk = new MemoryDisk();
  const engine = await openEngine(engineEnv({ hasher: lying, clock: new VirtualClock() }), disk);
  unwrap(await engine.put({ ...putOf(chunk), bytes: other.bytes }));
  await engine[Symbol.asyncDispose]();
  await using honest = await openEngine(engineEnv({ hasher, clock: new VirtualClock() }), disk);
  expect(await honest.verify()).toEqual({ records: 1, damaged: 1 });
});
