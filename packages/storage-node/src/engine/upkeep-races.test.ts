import { NodeHasher } from "@cairn/env-node";
import { MemoryDisk, SeededRandom, VirtualClock } from "@cairn/simulator";
import { describe, expect, test } from "vitest";
import {
  chunkOf,
  engineEnv,
  group7,
  kindOf,
  ListLog,
  openEngine,
  putOf,
  smallSegments,
  type TestChunk,
  thrownKind,
} from "./testing/engine-fixture.ts";

const hasher = new NodeHasher();
const free = { pace: async () => new Promise<void>((resolve) => setImmediate(resolve)) };

/** Where a chunk must be found, or must not be. */
interface Known {
  readonly chunk: TestChunk;
  /** Which life of the group it was written into. */
  readonly life: number;
}

describe("writes, copies, deletes, seals, scrubs, compactions and drops beside each other", () => {
  const seeds = [1, 2, 3, 4, 5, 6, 7, 8];
  test.each(seeds)(
    "keep what was promised, and a restart finds the same: seed %i",
    { timeout: 60_000 },
    async (seed) => {
      const random = new SeededRandom(seed);
      const clock = new VirtualClock();
      const log = new ListLog();
      const disk = new MemoryDisk();
      let engine = await openEngine(engineEnv({ hasher, clock, log }), disk, smallSegments);
      const { signal } = new AbortController();
      /** Drops that were begun; a write counts only when no drop was begun since it was. */
      let life = 0;
      let number = 0;
      const kept = new Map<TestChunk, Known>();
      const deleted: Known[] = [];
      const refusals = new Set<string>();
      const write = async (take: "put" | "adopt"): Promise<void> => {
        const chunk = await chunkOf(hasher, number++, 2300);
        const begun = life;
        const outcome = await engine[take](putOf(chunk));
        if (outcome.ok && begun === life) kept.set(chunk, { chunk, life });
        else refusals.add(kindOf(outcome));
      };
      const remove = async (): Promise<void> => {
        const [known] = [...kept.values()].slice(random.integer(Math.max(kept.size, 1)));
        if (!known) return;
        kept.delete(known.chunk);
        const [outcome] = await engine.deleteExact([{ group: group7, ...known.chunk }]);
        if (outcome?.ok && known.life === life) deleted.push(known);
        else refusals.add(kindOf(outcome));
      };
      const drop = async (): Promise<void> => {
        life++;
        kept.clear();
        await engine.dropGroup(group7);
      };
      const compact = async (): Promise<void> => {
        const [found] = await engine.compactable({ trashMs: 0, urgent: true });
        if (found) refusals.add(await thrownKind(engine.compact({ ...found, trashMs: 0, signal, ...free })));
      };
      const step = { group: group7, cursor: undefined, bytesMax: 10_000, signal };
      const works = [
        ...Array.from({ length: 8 }, () => () => write("put")),
        ...Array.from({ length: 8 }, () => () => write("adopt")),
        ...Array.from({ length: 6 }, () => remove),
        ...Array.from({ length: 3 }, () => compact),
        async () => void refusals.add(await thrownKind(engine.scrubStep(step))),
        async () => void refusals.add(await thrownKind(engine.seal(group7))),
        async () => void (await engine.find(group7, (await chunkOf(hasher, random.integer(number + 1), 2300)).id)),
        () => clock.advance(1500),
      ];
      const running = new Set<Promise<void>>();
      for (let turn = 0; turn < 400; turn++) {
        const dropping = turn % 90 === 60;
        const work = dropping ? drop : (works[random.integer(works.length)] as () => Promise<void>);
        const done = work().finally(() => running.delete(done));
        running.add(done);
        if (running.size > 12) await Promise.race(running);
        if (random.integer(4) === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await Promise.all(running);
      // Nothing of this is a failure of the disk.
      expect(
        [...refusals].filter((kind) => !["ok", "unavailable", "conflict", "not-found", "stale"].includes(kind)),
      ).toEqual([]);
      expect(engine.health("ok")).toBe("ok");
      const verdict = async (): Promise<void> => {
        for (const { chunk } of kept.values()) expect(await thrownKind(engine.read(group7, chunk.id))).toBe("ok");
        for (const known of deleted) {
          if (known.life === life) expect(await thrownKind(engine.read(group7, known.chunk.id))).toBe("not-found");
        }
        const [digest] = engine.digests();
        expect(await engine.verify()).toEqual({ records: digest?.records ?? 0, damaged: 0 });
      };
      await verdict();
      const digests = engine.digests();
      await engine[Symbol.asyncDispose]();
      engine = await openEngine(engineEnv({ hasher, clock, log }), disk, smallSegments);
      expect(engine.digests()).toEqual(digests);
      await verdict();
      await engine[Symbol.asyncDispose]();
      expect(log.lines).toEqual([]);
    },
  );
});
