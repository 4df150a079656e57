import { randomBytes, randomInt } from "node:crypto";
import { afterEach, expect, test, vi } from "vitest";
import { type BodyDigests, ThreadDigests } from "./body-digests.ts";
import { DigestPool, type DigestPoolOptions } from "./digest-pool.ts";
import { DigestThread } from "./digest-thread.ts";
import type { ThreadAlgorithm } from "./digest-thread-program.ts";
import { type DigestAlgorithm, digestOf } from "./streaming-checksum.ts";

const all: readonly DigestAlgorithm[] = ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "MD5"];
const hex = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString("hex");
const disposables: AsyncDisposable[] = [];

function newPool(options: DigestPoolOptions = {}): DigestPool {
  const pool = new DigestPool(options);
  disposables.push(pool);
  return pool;
}

afterEach(async () => {
  for (const it of disposables.splice(0)) await it[Symbol.asyncDispose]();
});

async function expectDigests(body: BodyDigests, algorithms: readonly DigestAlgorithm[], bytes: Uint8Array, note = "") {
  const digests = await body.digest();
  expect([...digests.keys()].sort()).toEqual([...algorithms].sort());
  for (const algorithm of algorithms) {
    expect(hex(digests.get(algorithm)), `${algorithm} ${note}`).toBe(hex(digestOf(algorithm, bytes)));
  }
}

test("a large body is digested by all algorithms at once", async () => {
  const bytes = randomBytes(3_000_000);
  const body = newPool().open(all, bytes.length);
  for (let from = 0; from < bytes.length; from += 65_536) await body.update(bytes.subarray(from, from + 65_536));
  await expectDigests(body, all, bytes);
});

test.each([0, 1, 262_144, 262_145, 600_000])("%i bytes of unknown length are digested", async (length) => {
  const bytes = randomBytes(length);
  const body = newPool().open(all);
  await body.update(bytes);
  await expectDigests(body, all, bytes);
});

test("the caller's bytes are not detached and may be changed after the update", async () => {
  const pool = newPool({ slotBytes: 1000, slotsPerThread: 2, inlineBytesMax: 0 });
  const body = pool.open(["MD5"]);
  const buffer = new Uint8Array(5000);
  const whole: Uint8Array[] = [];
  for (let round = 0; round < 20; round += 1) {
    buffer.fill(round);
    whole.push(buffer.slice());
    await body.update(buffer);
    expect(buffer.byteLength).toBe(5000);
    buffer.fill(0xff);
  }
  await expectDigests(body, ["MD5"], Buffer.concat(whole));
});

test("many bodies through few slots, in random pieces, some aborted, each get their own digests", async () => {
  const seed = randomInt(2 ** 31);
  const random = pseudoRandom(seed);
  const pool = newPool({ threads: 2, slotBytes: 700, slotsPerThread: 3, inlineBytesMax: 100 });
  const one = async (index: number): Promise<void> => {
    const bytes = randomBytes(random(20_000));
    const algorithms = all.filter(() => random(2) === 1);
    const body = pool.open(algorithms, random(2) === 1 ? bytes.length : undefined);
    const abortAt = random(4) === 0 ? random(bytes.length + 1) : undefined;
    for (let from = 0; from < bytes.length; ) {
      if (abortAt !== undefined && from >= abortAt) return body.abort();
      const to = Math.min(bytes.length, from + 1 + random(3000));
      await body.update(bytes.subarray(from, to));
      from = to;
      if (random(3) === 0) await new Promise(setImmediate);
    }
    await expectDigests(body, algorithms, bytes, `seed ${seed}, body ${index}`);
  };
  await Promise.all(Array.from({ length: 60 }, (_, index) => one(index)));
});

test("a full queue asks the caller to wait, and no more than the slots is ever held", async () => {
  const body = newPool({ slotBytes: 1000, slotsPerThread: 2, inlineBytesMax: 0 }).open(["MD5"]);
  expect(body.update(new Uint8Array(1500))).toBeUndefined();
  const waiting = body.update(new Uint8Array(1500));
  expect(waiting).toBeInstanceOf(Promise);
  await waiting;
  await expectDigests(body, ["MD5"], new Uint8Array(3000));
});

test("bodies whose clients stall do not hold up the others", async () => {
  const pool = newPool({ slotBytes: 1000, slotsPerThread: 2, inlineBytesMax: 0 });
  const stalled = [pool.open(["MD5"]), pool.open(["MD5"])];
  for (const body of stalled) expect(body.update(new Uint8Array(10))).toBeUndefined();
  const bytes = randomBytes(10_000);
  const body = pool.open(["SHA256"]);
  await body.update(bytes);
  await expectDigests(body, ["SHA256"], bytes);
  for (const late of stalled) {
    await late.update(new Uint8Array(5));
    await expectDigests(late, ["MD5"], new Uint8Array(15));
  }
});

test("an abort gives back what the body held, also while it waits", async () => {
  const pool = newPool({ slotBytes: 1000, slotsPerThread: 1, inlineBytesMax: 0 });
  for (let round = 0; round < 5; round += 1) {
    const holding = pool.open(["MD5"]);
    await holding.update(new Uint8Array(10));
    holding.abort();
    const waiting = pool.open(["MD5"]);
    const update = waiting.update(new Uint8Array(5500));
    waiting.abort();
    await update;
  }
  const body = pool.open(["MD5"]);
  await body.update(new Uint8Array(5000));
  await expectDigests(body, ["MD5"], new Uint8Array(5000));
});

test("a thread that fails fails its bodies, those that wait too, and the pool starts another", async () => {
  const unknown = "no such algorithm" as ThreadAlgorithm;
  const thread = DigestThread.start({ slots: 2, slotBytes: 1000 });
  const good = new ThreadDigests(thread, { here: [], there: ["MD5"] }, 0);
  const broken = new ThreadDigests(thread, { here: [], there: [unknown] }, 0);
  await good.update(new Uint8Array(10));
  await expect(Promise.resolve(broken.update(new Uint8Array(5000)))).rejects.toThrow("thread for digests");
  await expect(good.digest()).rejects.toThrow("thread for digests");
  expect(thread.failure).toBeInstanceOf(Error);
  await expect(Promise.resolve(broken.update(new Uint8Array(1)))).rejects.toThrow("thread for digests");

  const stopped = DigestThread.start({ slots: 2, slotBytes: 1000 });
  await stopped.stop();
  const late = new ThreadDigests(stopped, { here: [], there: ["MD5"] }, 0);
  await expect(Promise.resolve(late.update(new Uint8Array(1)))).rejects.toThrow("stopped");
  const later = new ThreadDigests(stopped, { here: [], there: ["MD5"] }, -1);
  await expect(later.digest()).rejects.toThrow("stopped");

  const started = vi.spyOn(DigestThread, "start");
  const pool = newPool({ inlineBytesMax: 0 });
  const body = pool.open(["MD5"]);
  await body.update(new Uint8Array(10));
  started.mock.results[0]?.value.send({ body: -1, algorithms: [unknown] });
  await expect(body.digest()).rejects.toThrow("thread for digests");
  const next = pool.open(["MD5"]);
  await next.update(new Uint8Array(10));
  await expectDigests(next, ["MD5"], new Uint8Array(10));
  expect(started).toHaveBeenCalledTimes(2);
  started.mockRestore();
});

test("what is under way at the end of the pool fails, and nothing is begun after it", async () => {
  const pool = newPool({ slotBytes: 1000, slotsPerThread: 1, inlineBytesMax: 0 });
  const body = pool.open(["MD5"]);
  await body.update(new Uint8Array(10));
  const digest = body.digest();
  await Promise.all([expect(digest).rejects.toThrow("stopped"), pool[Symbol.asyncDispose]()]);
  expect(() => pool.open(["MD5"])).toThrow();
});

test("a body is updated once at a time and asked for its digests once", async () => {
  const body = newPool({ slotBytes: 1000, slotsPerThread: 1, inlineBytesMax: 0 }).open(["MD5"]);
  const waiting = body.update(new Uint8Array(5000));
  expect(() => body.update(new Uint8Array(1))).toThrow();
  await waiting;
  await body.digest();
  await expect(body.digest()).rejects.toThrow();
});

/** Time of the event loop, which others' load on the machine stretches for both alike. */
test("the event loop is busy for less than half the time that hashing on it takes", async () => {
  const piece = randomBytes(65_536);
  const busy = async (body: BodyDigests): Promise<number> => {
    const before = performance.eventLoopUtilization();
    for (let count = 0; count < 512; count += 1) {
      await body.update(piece);
      if (count % 16 === 0) await new Promise(setImmediate);
    }
    await body.digest();
    return performance.eventLoopUtilization(before).active;
  };
  const pool = newPool();
  const algorithms = ["MD5", "SHA256", "CRC64NVME"] as const;
  await busy(pool.open(algorithms));
  const ratios: number[] = [];
  for (let round = 0; round < 3; round += 1) {
    const beside = await busy(pool.open(algorithms));
    ratios.push(beside / (await busy(newPool().open(algorithms, 1))));
  }
  expect(Math.min(...ratios)).toBeLessThan(0.5);
});

function pseudoRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
