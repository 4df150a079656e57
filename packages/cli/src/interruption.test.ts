import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { Interruption } from "./interruption.ts";

function started() {
  const source = new EventEmitter();
  const told: string[] = [];
  const interruption = new Interruption(source, {
    onFirst: () => told.push("first"),
    endAtOnce: (code) => told.push(`end ${code}`),
  });
  return { source, told, interruption };
}

test("the first Ctrl-C stops cleanly, the second at once", () => {
  const { source, told, interruption } = started();
  expect(interruption.signal.aborted).toBe(false);
  source.emit("SIGINT");
  expect(interruption.signal.aborted).toBe(true);
  expect(interruption.exitCode).toBe(130);
  source.emit("SIGINT");
  expect(told).toEqual(["first", "end 130"]);
});

test("SIGTERM ends with 143", () => {
  const { source, interruption } = started();
  source.emit("SIGTERM");
  expect(interruption.exitCode).toBe(143);
});

test("after the end the signals belong to somebody else", () => {
  const { source, interruption } = started();
  interruption[Symbol.dispose]();
  source.emit("SIGINT");
  expect(interruption.signal.aborted).toBe(false);
  expect(source.listenerCount("SIGTERM")).toBe(0);
});
