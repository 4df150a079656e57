import { NodeHasher } from "@cairn/env-node";
import {
  type ChunkService,
  type ChunkServiceAt,
  type CommandClaims,
  type CopyOrder,
  type CopyResult,
  chunkIdFromHash,
  type DiskId,
  type GroupId,
  generationOf,
  type LeaseId,
  limits,
  type NodeId,
  type Outcome,
  StorageError,
  succeeded,
  type WantedCopy,
} from "@cairn/protocol";
import { beforeEach, describe, expect, test } from "vitest";
import type { CommandGate } from "./command-gate.ts";
import { CopyIntake, copyCrashPoints } from "./copy-intake.ts";
import { CareFixture } from "./testing/care-fixture.ts";
import { ScriptedDisk } from "./testing/scripted-disk.ts";
import { ScriptedSource } from "./testing/scripted-source.ts";

const hasher = new NodeHasher();
const group = 3 as GroupId;
const lease = 7 as LeaseId;

let fixture: CareFixture;
let disk: ScriptedDisk;
let sources: Map<string, ScriptedSource>;
let intake: CopyIntake;
let crashed: string[];
let overtaken: boolean;

beforeEach(() => {
  fixture = new CareFixture();
  fixture.tell({ repairBytesPerSecond: 10 ** 9 });
  disk = new ScriptedDisk(1);
  sources = new Map(["http://a", "http://b"].map((url) => [url, new ScriptedSource()]));
  crashed = [];
  overtaken = false;
  const { clock, metrics, bell, settings } = fixture;
  const chunksAt: ChunkServiceAt = (url) => sources.get(url) as unknown as ChunkService;
  const crashPoint = (name: string): void => void crashed.push(name);
  const disks = [disk, new ScriptedDisk(2)];
  intake = new CopyIntake({ clock, metrics, bell, settings, hasher, crashPoint, chunksAt, disks });
});

const source = (url = "http://a"): ScriptedSource => sources.get(url) as ScriptedSource;

async function chunk(number: number, length = 300): Promise<WantedCopy & { bytes: Uint8Array }> {
  const bytes = new Uint8Array(length).fill(number);
  return { id: chunkIdFromHash(await hasher.sha256(bytes)), generation: generationOf(lease, number), length, bytes };
}

async function chunks(count: number, length?: number): Promise<(WantedCopy & { bytes: Uint8Array })[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => chunk(index + 1, length)));
}

function hold(held: readonly (WantedCopy & { bytes: Uint8Array })[], ...urls: string[]): void {
  for (const url of urls) for (const { id, bytes } of held) source(url).chunks.set(id, bytes);
}

function order(wanted: readonly WantedCopy[], changes: Partial<CopyOrder> = {}): CopyOrder {
  const from = [...sources.keys()].map((url, index) => ({ node: url as NodeId, disk: (index + 5) as DiskId, url }));
  return { group, epoch: 4, disk: 1 as DiskId, sources: from, readToken: "r", chunks: wanted, ...changes };
}

function send(
  copyOrder: CopyOrder,
  { forMs = 60_000, signal = new AbortController().signal } = {},
): Promise<readonly Outcome<CopyResult>[]> {
  const claims = { expiresAt: fixture.clock.now() + forMs } as CommandClaims;
  const gate = { isCurrent: () => !overtaken } as unknown as CommandGate;
  return intake.copy(copyOrder, { claims, gate, signal });
}

const kinds = (outcomes: readonly Outcome<CopyResult>[]): string[] =>
  outcomes.map((it) => (it.ok ? "ok" : it.error.kind));
const kindOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no error",
    (error: StorageError) => error.kind,
  );

describe("where copies come from", () => {
  test("chunks are fetched together, checked, and taken in under the order's epoch", async () => {
    const wanted = await chunks(5);
    hold(wanted, "http://a");
    const outcomes = await send(order(wanted));
    expect(outcomes).toEqual(wanted.map(() => succeeded({ fetchedBytes: 300, badSources: [] })));
    expect(source().batches).toEqual([wanted.map(({ id }) => id)]);
    expect(disk.adopted.map(({ id, epoch }) => [id, epoch])).toEqual(wanted.map(({ id }) => [id, 4]));
    expect(crashed).toEqual(copyCrashPoints);
  });

  test("what a source lacks or has damaged comes from the next one, and the bad source is told", async () => {
    const [lacking, damaged, good] = (await chunks(3)) as [WantedCopy & { bytes: Uint8Array }, never, never];
    hold([lacking, damaged, good], "http://a", "http://b");
    source().chunks.delete(lacking.id);
    source().chunks.set((damaged as WantedCopy).id, new Uint8Array(300));
    const outcomes = await send(order([lacking, damaged, good]));
    expect(outcomes).toEqual([
      succeeded({ fetchedBytes: 300, badSources: [{ disk: 5, what: "missing" }] }),
      succeeded({ fetchedBytes: 300, badSources: [{ disk: 5, what: "corrupt" }] }),
      succeeded({ fetchedBytes: 300, badSources: [] }),
    ]);
    expect(disk.adopted.every(({ bytes }) => bytes.some((byte) => byte !== 0))).toBe(true);
    expect(source("http://b").batches).toHaveLength(1);
  });

  test("bytes that were damaged on the way only are asked for once more, and nobody is accused", async () => {
    const wanted = await chunks(1);
    hold(wanted, "http://a");
    let first = true;
    const answer = source().answer;
    source().answer = async (read) => {
      if (!first) return answer(read);
      first = false;
      return new Uint8Array(300);
    };
    expect(await send(order(wanted))).toEqual([succeeded({ fetchedBytes: 300, badSources: [] })]);
    expect(source("http://b").batches).toEqual([]);
  });

  test("a chunk that no source has is not found, one that none has sound is corrupt, and doubt is neither", async () => {
    const [lost, broken, doubtful] = (await chunks(3)) as [WantedCopy & { bytes: Uint8Array }, never, never];
    for (const url of sources.keys()) source(url).chunks.set((broken as WantedCopy).id, new Uint8Array(300));
    source("http://b").answer = async ({ id }) => {
      if (id === (doubtful as WantedCopy).id) throw new StorageError("unavailable", "get chunk", "the disk fails");
      const bytes = source("http://b").chunks.get(id);
      if (!bytes) throw new StorageError("not-found", "get chunk", id);
      return bytes;
    };
    const outcomes = await send(order([lost, broken, doubtful]));
    expect(kinds(outcomes)).toEqual(["not-found", "corrupt", "unavailable"]);
    const told = outcomes.map((it) => (it.ok ? [] : it.error.details["badSources"]));
    expect(told).toEqual([
      [5, 6].map((id) => ({ disk: id, what: "missing" })),
      [5, 6].map((id) => ({ disk: id, what: "corrupt" })),
      [{ disk: 5, what: "missing" }],
    ]);
    expect(disk.adopted).toEqual([]);
  });

  test("a source that does not answer is not waited for again within the order", async () => {
    const wanted = await chunks(4, 3_000_000);
    hold(wanted, "http://b");
    source().before = async () => {
      throw new StorageError("unavailable", "request", "ECONNREFUSED");
    };
    expect(kinds(await send(order(wanted)))).toEqual(["ok", "ok", "ok", "ok"]);
    expect(source().batches).toHaveLength(1);
    expect(source("http://b").batches).toHaveLength(4);
  });
});

describe("what is there already", () => {
  test("a sound copy is not fetched, a damaged one is, and one that was deleted stays so", async () => {
    const wanted = await chunks(3);
    hold(wanted, "http://a");
    const findings = new Map(wanted.map(({ id }, index) => [id, (["sound", "damaged", "deleted"] as const)[index]]));
    disk.finding = (id) => findings.get(id) ?? "missing";
    const outcomes = await send(order(wanted));
    expect(outcomes[0]).toEqual(succeeded({ fetchedBytes: 0, badSources: [] }));
    expect(outcomes[1]).toEqual(succeeded({ fetchedBytes: 300, badSources: [] }));
    expect(kinds(outcomes)[2]).toBe("stale");
    expect(disk.adopted.map(({ id }) => id)).toEqual([wanted[1]?.id]);
  });

  test("a copy that cannot be read for checking fails alone", async () => {
    const wanted = await chunks(2);
    hold(wanted, "http://a");
    let looks = 0;
    disk.before = async (what) => {
      if (what === "check" && looks++ === 0) throw new StorageError("unavailable", "read", "the disk fails");
    };
    expect(kinds(await send(order(wanted)))).toEqual(["unavailable", "ok"]);
  });
});

describe("limits", () => {
  test("never more than one window of an order is in memory", async () => {
    const wanted = await chunks(8, limits.chunkBytesMax);
    hold(wanted, "http://a");
    let inMemory = 0;
    let most = 0;
    const answer = source().answer;
    source().answer = async (read) => {
      const bytes = await answer(read);
      inMemory += bytes.length;
      most = Math.max(most, inMemory);
      return bytes;
    };
    const adopt = disk.adopt.bind(disk);
    disk.adopt = async (copy) => {
      const outcome = await adopt({ ...copy, bytes: new Uint8Array(0) });
      inMemory -= copy.bytes.length;
      return outcome;
    };
    expect(kinds(await send(order(wanted))).every((it) => it === "ok")).toBe(true);
    expect(most).toBeLessThanOrEqual(limits.batchBytesMax);
    const small = await chunks(limits.copyChunksMax, 10);
    hold(small, "http://a");
    source().batches = [];
    await send(order(small));
    expect(source().batches.map(({ length }) => length)).toEqual([64, 64]);
  });

  test("copies come at the pace of repair, and none while it is 0", async () => {
    const wanted = await chunks(4, 1_000_000);
    hold(wanted, "http://a");
    fixture.tell({ repairBytesPerSecond: 1_000_000 });
    const doneAt: number[] = [];
    const adopt = disk.adopt.bind(disk);
    disk.adopt = async (copy) => {
      doneAt.push(fixture.clock.monotonic());
      return adopt(copy);
    };
    const done = Promise.all([send(order(wanted)), send(order(wanted))]);
    await fixture.clock.advance(3000);
    expect(doneAt).toHaveLength(4);
    await fixture.clock.advance(2000);
    await done;
    expect(doneAt).toHaveLength(8);
    fixture.tell({ repairBytesPerSecond: 0 });
    expect(await kindOf(send(order(wanted)))).toBe("overloaded");
  });

  test("two orders at once for a disk; the others wait a little, then they are refused; other disks go on", async () => {
    const wanted = await chunks(1);
    hold(wanted, "http://a");
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    source().before = () => gate;
    const running = [send(order(wanted)), send(order(wanted))];
    await fixture.clock.advance(10);
    const waiting = Array.from({ length: 8 }, () => kindOf(send(order(wanted))));
    await fixture.clock.advance(10);
    expect(await kindOf(send(order(wanted)))).toBe("overloaded");
    const other = send(order(wanted, { disk: 2 as DiskId, group: 4 as GroupId }));
    await fixture.clock.advance(10);
    expect(source().batches).toHaveLength(3);
    await fixture.clock.advance(5000);
    expect(await Promise.all(waiting)).toEqual(Array(8).fill("overloaded"));
    const later = send(order(wanted));
    await fixture.clock.advance(100);
    open();
    await fixture.clock.advance(100);
    expect((await Promise.all([...running, other, later])).map(kinds)).toEqual(Array(4).fill(["ok"]));
  });

  test("lanes that come free together are taken by two of those who wait, not by all", async () => {
    const wanted = await chunks(1);
    hold(wanted, "http://a");
    fixture.tell({ repairBytesPerSecond: 2000 });
    let running = 0;
    let most = 0;
    source().before = async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
    };
    const sent = Array.from({ length: 8 }, () => send(order(wanted)));
    for (let ms = 0; ms < 5000; ms += 10) await fixture.clock.advance(10);
    expect((await Promise.all(sent)).map(kinds)).toEqual(Array(8).fill(["ok"]));
    expect(most).toBeLessThanOrEqual(2);
  });

  test("while a group is copied to one disk of the node it is copied to no other", async () => {
    const wanted = await chunks(1);
    hold(wanted, "http://a");
    const first = send(order(wanted));
    expect(await kindOf(send(order(wanted, { disk: 2 as DiskId })))).toBe("conflict");
    expect(kinds(await first)).toEqual(["ok"]);
    expect(kinds(await send(order(wanted, { disk: 2 as DiskId })))).toEqual(["ok"]);
  });
});

describe("who may still command", () => {
  test("what was not begun when the command's time was over is left out and told", async () => {
    const wanted = await chunks(4, 3_000_000);
    hold(wanted, "http://a");
    fixture.tell({ repairBytesPerSecond: 1_000_000 });
    const sent = send(order(wanted), { forMs: 4000 });
    await fixture.clock.advance(5000);
    expect(kinds(await sent)).toEqual(["ok", "ok", "unavailable", "unavailable"]);
    expect(fixture.clock.pending).toBe(0);
  });

  test("an order stops when another leader has commanded the node", async () => {
    const wanted = await chunks(3, 3_000_000);
    hold(wanted, "http://a");
    source().before = async () => {
      overtaken = source().batches.length === 2;
    };
    expect(kinds(await send(order(wanted)))).toEqual(["ok", "ok", "stale"]);
    expect(disk.adopted).toHaveLength(2);
  });

  test("a disk of another node is refused, and so is a group that lies on another disk of this one", async () => {
    const wanted = await chunks(1);
    hold(wanted, "http://a");
    expect(await kindOf(send(order(wanted, { disk: 9 as DiskId })))).toBe("forbidden");
    disk.put(group, 300);
    expect(await kindOf(send(order(wanted, { disk: 2 as DiskId })))).toBe("conflict");
    expect(await kindOf(send(order(wanted)))).toBe("no error");
  });

  test("when the leader goes away, nothing further is begun", async () => {
    const wanted = await chunks(3, 3_000_000);
    hold(wanted, "http://a");
    const gone = new AbortController();
    source().before = async () => gone.abort();
    expect(kinds(await send(order(wanted), { signal: gone.signal }))).toEqual(Array(3).fill("unavailable"));
    expect(disk.adopted).toEqual([]);
  });

  test("before a group is dropped its orders are stopped, and nothing of them comes after", async () => {
    const wanted = await chunks(3, 3_000_000);
    hold(wanted, "http://a");
    fixture.tell({ repairBytesPerSecond: 1_000_000 });
    const sent = send(order(wanted));
    await fixture.clock.advance(100);
    expect(disk.adopted).toHaveLength(1);
    const stopped = intake.stop(1 as DiskId, group);
    await fixture.clock.advance(10);
    await stopped;
    expect(kinds(await sent)).toEqual(["ok", "unavailable", "unavailable"]);
    expect(disk.adopted).toHaveLength(1);
  });

  test("an order that still waits for its turn when its group is dropped does not come after", async () => {
    const wanted = await chunks(3, 3_000_000);
    hold(wanted, "http://a");
    fixture.tell({ repairBytesPerSecond: 1_000_000 });
    const others = [send(order(wanted, { group: 8 as GroupId })), send(order(wanted, { group: 9 as GroupId }))];
    await fixture.clock.advance(10);
    const waiting = kindOf(send(order(wanted)));
    await intake.stop(1 as DiskId, group);
    expect(await waiting).toBe("unavailable");
    // One that has just been let in is stopped as well.
    for (let ms = 0; ms < 30_000; ms += 1000) await fixture.clock.advance(1000);
    await Promise.all(others);
    const entering = send(order(wanted));
    await intake.stop(1 as DiskId, group);
    expect(kinds(await entering)).toEqual(Array(3).fill("unavailable"));
    expect(disk.adopted.map((copy) => copy.group)).not.toContain(group);
  });

  test("an order that is stopped before all sources were asked does not say that nobody has the chunk", async () => {
    const wanted = await chunks(1);
    const gone = new AbortController();
    source().answer = async ({ id }) => {
      gone.abort();
      throw new StorageError("not-found", "get chunk", id);
    };
    hold(wanted, "http://b");
    expect(kinds(await send(order(wanted), { signal: gone.signal }))).toEqual(["unavailable"]);
    const before = new AbortController();
    disk.before = async () => before.abort();
    expect(kinds(await send(order(wanted), { signal: before.signal }))).toEqual(["unavailable"]);
    expect(source().singles.length + source().batches.length).toBe(1);
  });

  test("a node that ends stops its orders and takes no more", async () => {
    const wanted = await chunks(3, 3_000_000);
    hold(wanted, "http://a");
    fixture.tell({ repairBytesPerSecond: 1000 });
    const sent = send(order(wanted));
    await fixture.clock.advance(100);
    const closed = intake.close();
    await fixture.clock.advance(10);
    await closed;
    expect(kinds(await sent)).toEqual(["ok", "unavailable", "unavailable"]);
    expect(await kindOf(send(order(wanted)))).toBe("unavailable");
  });
});
