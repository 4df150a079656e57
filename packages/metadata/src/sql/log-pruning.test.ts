import { expect, test } from "vitest";
import { logKeptMs, pruneLogs } from "./log-pruning.ts";
import { TestMetadata } from "./testing/test-metadata.ts";

async function logs(metadata: TestMetadata) {
  const row = await metadata.store.database.read((sql) =>
    sql.get<{ answers: number; lines: number; last: number }>(
      `SELECT (SELECT COUNT(*) FROM commit_log) AS answers, (SELECT COUNT(*) FROM change) AS lines,
       (SELECT MAX(sequence) FROM change) AS last`,
    ),
  );
  return { ...row };
}

test("answers and changes are kept for a week, and numbers of changes are never given twice", async () => {
  await using metadata = await TestMetadata.open();
  for (const path of ["/a", "/b", "/c"]) await metadata.folder(path);
  expect(await pruneLogs(metadata.store)).toBe(false);
  await metadata.cluster.clock.advance(logKeptMs - 1000);
  await metadata.folder("/d");
  expect(await pruneLogs(metadata.store)).toBe(false);
  await metadata.cluster.clock.advance(2000);
  expect(await pruneLogs(metadata.store)).toBe(true);
  expect(await logs(metadata)).toEqual({ answers: 1, lines: 1, last: 4 });
  await metadata.cluster.clock.advance(logKeptMs);
  await pruneLogs(metadata.store);
  expect(await logs(metadata)).toEqual({ answers: 0, lines: 1, last: 4 });
  await metadata.folder("/e");
  expect(await logs(metadata)).toMatchObject({ last: 5 });
});

test("many old lines go in several transactions", async () => {
  await using metadata = await TestMetadata.open();
  await metadata.store.database.write(async (sql) => {
    for (let sequence = 1; sequence <= 4500; sequence++) {
      await sql.run("INSERT INTO change (sequence, at, body) VALUES (?, 0, '{}')", sequence);
    }
  });
  let rounds = 0;
  while (await pruneLogs(metadata.store)) rounds++;
  expect(rounds).toBe(3);
  expect(await logs(metadata)).toMatchObject({ lines: 1, last: 4500 });
});
