import { type ChunkId, type DiskId, type Generation, type GroupId, type InventoryPage, toHex } from "@cairn/protocol";
import { SeededRandom } from "@cairn/simulator";
import { expect, test } from "vitest";
import { TestCluster } from "../service/testing/test-cluster.ts";
import { compareCopy } from "./copy-comparison.ts";
import type { NodeOrders } from "./node-orders.ts";

const group = 1 as GroupId;
const disk = 2 as DiskId;
const never = new AbortController().signal;

type Held = InventoryPage["chunks"][number];

/** A disk whose inventory comes in pages of a size. */
function ordersOver(held: readonly Held[], pageSize: number): NodeOrders {
  const sorted = [...held].sort((a, b) => (a.id === b.id ? a.generation - b.generation : a.id < b.id ? -1 : 1));
  return {
    async *inventory() {
      for (let at = 0; at < sorted.length; at += pageSize) yield sorted.slice(at, at + pageSize);
    },
  } as unknown as NodeOrders;
}

async function tableOf(rows: readonly Held[]): Promise<TestCluster> {
  const cluster = await TestCluster.open();
  await cluster.database.write(async (sql) => {
    for (const { id, generation, length } of rows) {
      await sql.run(
        "INSERT INTO chunk (hash, generation, grp, length, refs, state, zero_at) VALUES (?, ?, ?, ?, 1, 0, NULL)",
        Buffer.from(id, "hex"),
        generation,
        group,
        length,
      );
    }
  });
  return cluster;
}

function chunk(random: SeededRandom): Held {
  return { id: toHex(random.bytes(32)) as ChunkId, generation: random.integer(1000) as Generation, length: 10 };
}

test("it finds exactly what is missing, however the pages are cut and whatever else the disk holds", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = new SeededRandom(seed);
    const rows = Array.from({ length: random.integer(40) }, () => chunk(random));
    const missing = rows.filter(() => random.fraction() < 0.2);
    const held = [
      ...rows.filter((row) => !missing.includes(row)),
      // Other generations of the same chunk, and chunks that nobody needs.
      ...rows.flatMap((row) => [{ ...row, generation: (row.generation + 1000) as Generation }]),
      ...rows.filter(() => random.fraction() < 0.3).map((row) => ({ ...row, generation: 2000 as Generation })),
      ...Array.from({ length: random.integer(20) }, () => chunk(random)),
    ];
    const cluster = await tableOf(rows);
    const world = { database: cluster.database, orders: ordersOver(held, 1 + random.integer(7)) };
    const found = await compareCopy(world, { group, disk }, never);
    expect(found.missing.map(({ id }) => id).sort(), `seed ${seed}`).toEqual(missing.map(({ id }) => id).sort());
    expect(found.bytes, `seed ${seed}`).toBe((rows.length - missing.length) * 10);
    await cluster.database[Symbol.asyncDispose]();
  }
});

test("a copy of another length, and one of another group, do not count", async () => {
  const random = new SeededRandom(1);
  const row = chunk(random);
  const cluster = await tableOf([row]);
  const shorter = ordersOver([{ ...row, length: 9 }], 5);
  expect(
    (await compareCopy({ database: cluster.database, orders: shorter }, { group, disk }, never)).missing,
  ).toHaveLength(1);
});

test("what is known to be bad on this disk and waits for its repair is not found again", async () => {
  const random = new SeededRandom(1);
  const [first, second] = [chunk(random), chunk(random)];
  const cluster = await tableOf([first, second]);
  const queue = (of: Held, on: number, reason: string) =>
    cluster.database.write((sql) =>
      sql.run(
        "INSERT INTO repair (grp, hash, generation, disk, priority, reason, created_at) VALUES (?, ?, ?, ?, 0, ?, 0)",
        group,
        Buffer.from(of.id, "hex"),
        of.generation,
        on,
        reason,
      ),
    );
  await queue(first, disk, "missing");
  await queue(second, 3, "missing");
  await queue(second, disk, "stale");
  const { missing } = await compareCopy(
    { database: cluster.database, orders: ordersOver([], 5) },
    { group, disk },
    never,
  );
  expect(missing.map(({ id }) => id)).toEqual([second.id]);
});

test("a disk that lacks thousands is told so in parts", async () => {
  const random = new SeededRandom(1);
  const cluster = await tableOf(Array.from({ length: 2500 }, () => chunk(random)));
  const { missing } = await compareCopy(
    { database: cluster.database, orders: ordersOver([], 5) },
    { group, disk },
    never,
  );
  expect(missing).toHaveLength(1024);
});
