import { hashOfChunkId } from "@cairn/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { audit } from "../../sql/testing/audit.ts";
import { ScheduledDatabase } from "../../sql/testing/scheduled-database.ts";
import { InterruptedDatabase } from "../testing/interrupted-database.ts";
import { TestStorage } from "../testing/test-storage.ts";
import { judgeStrays } from "./orphans.ts";

const runs = { numRuns: 80 };

/** Storage whose transactions begin in an order of the test's choosing. */
async function openScheduled() {
  let database: ScheduledDatabase | undefined;
  const storage = await TestStorage.open({
    wrap: (inner) => {
      database = new ScheduledDatabase(inner);
      return database;
    },
  });
  if (!database) throw new Error("the database was wrapped");
  return { storage, database };
}

test("a commit, and the end of its lease, between any two looks of a sweep lose no chunk", async () => {
  let interrupted = true;
  for (let step = 0; interrupted; step++) {
    let database: InterruptedDatabase | undefined;
    await using storage = await TestStorage.open({
      wrap: (inner) => {
        database = new InterruptedDatabase(inner);
        return database;
      },
    });
    const { metadata } = storage;
    const collection = storage.collection();
    const chunks = [await storage.write(1), await storage.write(4)];
    const left = await storage.write(7);
    await storage.beat();
    interrupted = false;
    database!.interruption = async () => {
      interrupted = true;
      // The core's writes do not pass here, and neither do these.
      const tx = metadata.commits.commit([metadata.request("f", chunks)]);
      expect((await tx)[0]?.ok).toBe(true);
      await storage.closeLease();
    };
    database!.reads = 0;
    database!.interruptAfter = step;
    await storage.run(collection);
    for (const chunk of interrupted ? chunks : []) expect(await storage.copiesOf(chunk), `step ${step}`).toBe(2);
    await storage.expectNothingLost();
    expect(await storage.rows("SELECT * FROM repair")).toEqual([]);
    if (!interrupted) {
      expect(step).toBeGreaterThan(10);
      return;
    }
    await storage.pass(1000);
    await storage.run(collection);
    expect(await storage.copiesOf(left)).toBe(0);
  }
});

test("whatever the order of removal, collection, the same bytes again and a late delete, no version loses a chunk", async () => {
  await fc.assert(
    fc.asyncProperty(fc.scheduler(), async (scheduler) => {
      const { storage, database } = await openScheduled();
      await using _ = storage;
      const { metadata } = storage;
      await metadata.cluster.core.settings.change({ "collect.grace": 0 });
      const [one, two] = [storage.collection(), storage.collection()];
      const { entry } = await storage.file("old", [1, 4, 7]);
      await storage.closeLease();
      await metadata.newLease();
      await storage.pass(1000);
      for (const node of storage.nodes) {
        node.before = async (command) => {
          if (command === "delete") await scheduler.schedule(Promise.resolve(), "delete");
        };
      }
      const again = async (): Promise<void> => {
        for (let attempt = 0; attempt < 3; attempt++) {
          const chunks = [await storage.write(1), await storage.write(4)];
          const [outcome] = await metadata.commits.commit([metadata.request("new", chunks)]);
          if (outcome?.ok) return;
        }
        throw new Error("the upload failed three times");
      };
      database.gatekeeper = scheduler;
      const all = Promise.all([storage.remove(entry), again(), storage.run(one), storage.run(two)]);
      await scheduler.waitFor(all);
      database.gatekeeper = undefined;
      for (const node of storage.nodes) node.before = async () => undefined;
      await storage.expectNothingLost();
      await audit(storage.database);
      await storage.closeLease();
      for (let round = 0; round < 2; round++) {
        await storage.pass(1000);
        await storage.run(one);
      }
      await storage.pass(1000);
      const held = storage.nodes
        .flatMap((node) => node.engine.digests())
        .reduce((sum, { records }) => sum + records, 0);
      expect(held, "two chunks with two copies are all that is left").toBe(4);
    }),
    runs,
  );
}, 120_000);

test("a condemned write whose row was taken over by a new one is no orphan", async () => {
  await using storage = await TestStorage.open();
  const { metadata } = storage;
  const old = await storage.write(1);
  const { group, id, length, written } = old;
  await storage.closeLease();
  await metadata.newLease();
  await storage.file("new", [1]);
  await storage.database.write((sql) =>
    sql.run(
      "INSERT INTO condemned (hash, generation, grp) VALUES (?, ?, ?)",
      hashOfChunkId(id),
      written.generation,
      group,
    ),
  );
  const stray = { id, generation: written.generation, length };
  const verdict = await storage.database.read((sql) => judgeStrays(sql, group, [stray]));
  expect(verdict).toEqual({ orphans: [], condemned: [stray], named: [], undecided: [] });
});
