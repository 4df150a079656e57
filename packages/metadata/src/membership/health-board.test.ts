import { parseNodeId } from "@cairn/protocol";
import { VirtualClock } from "@cairn/simulator";
import { expect, test } from "vitest";
import { copyHealth, HealthBoard } from "./health-board.ts";

const node = parseNodeId("node-1");

test("a node is online while it is heard, suspect after 10 s of silence and down after 30 s", async () => {
  const clock = new VirtualClock();
  const board = new HealthBoard(clock);
  board.hear(node);
  await clock.advance(9999);
  expect(board.health(node)).toBe("online");
  await clock.advance(1);
  expect(board.health(node)).toBe("suspect");
  await clock.advance(19_999);
  expect(board.health(node)).toBe("suspect");
  await clock.advance(1);
  expect(board.health(node)).toBe("down");
  board.hear(node);
  expect(board.health(node)).toBe("online");
});

test("a jump of the wall clock makes nobody suspect", () => {
  const clock = new VirtualClock();
  const board = new HealthBoard(clock);
  board.hear(node);
  clock.jump(86_400_000);
  expect(board.health(node)).toBe("online");
});

test("a node that has not been heard since the start is suspect, then down, and online with its first heartbeat", async () => {
  const clock = new VirtualClock();
  const board = new HealthBoard(clock);
  board.watch(node);
  expect([board.health(node), board.silentForMs(node)]).toEqual(["suspect", undefined]);
  await clock.advance(30_000);
  expect(board.health(node)).toBe("down");
  board.hear(node);
  expect([board.health(node), board.silentForMs(node)]).toEqual(["online", 0]);
});

test("the version rises with every change of health and with nothing else", async () => {
  const clock = new VirtualClock();
  const board = new HealthBoard(clock);
  board.hear(node);
  const online = board.version;
  await clock.advance(5000);
  board.hear(node);
  await clock.advance(9999);
  expect(board.version).toBe(online);
  await clock.advance(1);
  const suspect = board.version;
  expect(suspect).toBeGreaterThan(online);
  await clock.advance(20_000);
  expect(board.version).toBeGreaterThan(suspect);
});

test("a node nobody knows is down, and changes are told once", () => {
  const board = new HealthBoard(new VirtualClock());
  expect(board.health(node)).toBe("down");
  board.hear(node);
  expect(board.changes()).toEqual([{ node, health: "online" }]);
  expect(board.changes()).toEqual([]);
});

test("a failed disk is gone though its node answers, and a suspect one is the last choice", () => {
  expect(copyHealth("online", "failed")).toBe("down");
  expect(copyHealth("online", "suspect")).toBe("suspect");
  expect(copyHealth("online", "full")).toBe("online");
  expect(copyHealth("suspect", "ok")).toBe("suspect");
  expect(copyHealth("down", "ok")).toBe("down");
});
