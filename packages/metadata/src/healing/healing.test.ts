import { expect, test } from "vitest";
import { TestHealing } from "./testing/test-healing.ts";

test("a killed node's groups get new copies after the delay, without any order, and the old ones go when it returns", async () => {
  await using test = await TestHealing.open();
  const chunks = await test.file("film", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  const lost = test.node("node-2");
  lost.away = true;
  await test.pass(60_000);
  expect(await test.healing.repairStatus()).toMatchObject({ state: "waiting", groupsMoving: 0 });
  await test.pass(300_000);
  await test.expectWhole(chunks);
  await test.expectMapTrue();
  for (const { group } of chunks) expect(test.nodesOf(group)).not.toContain("node-2");
  expect(await test.healing.repairStatus()).toMatchObject({ state: "idle", groupsWaiting: 0, totalBytes: 0 });
  expect(await test.events("repair.started")).toHaveLength(1);
  expect(await test.events("repair.finished")).toHaveLength(1);
  lost.away = false;
  await test.pass(60_000);
  expect(lost.groups.size).toBe(0);
  expect(await test.rows("SELECT * FROM extra_copy")).toEqual([]);
  await test.expectWhole(chunks);
});
