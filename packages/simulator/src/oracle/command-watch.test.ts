import { expect, test } from "vitest";
import { CommandWatch } from "./command-watch.ts";

function command(epoch: number, times: { arrivedAt: number; status?: number; incarnation?: number; end?: number }) {
  const { arrivedAt, status = 200, incarnation = 1, end = 99_999 } = times;
  const headers = { authorization: `Bearer c1.node-1.${incarnation}.${epoch}.${end}.signature` };
  const exchange = { from: "metadata", to: "machine-1", method: "POST", target: "/chunks/delete" };
  return { ...exchange, headers, body: new Uint8Array(0), status, arrivedAt };
}

function watching(): { watch: CommandWatch; found: string[]; at: (ms: number) => void } {
  const found: string[] = [];
  let now = 0;
  const watch = new CommandWatch(
    { now: () => now, wallAt: (machine, ms) => (machine === "machine-3" ? undefined : ms + 1000) },
    (oracle) => found.push(oracle),
  );
  const at = (ms: number): void => {
    now = ms;
  };
  return { watch, found, at };
}

test("a command of an overtaken leader that arrives after the newer one was heard, and is carried out, is a violation", () => {
  const { watch, found, at } = watching();
  at(10);
  watch.tap(command(2, { arrivedAt: 9 }));
  at(20);
  watch.tap(command(1, { arrivedAt: 15 }));
  expect(found).toHaveLength(1);
  watch.tap(command(7, { arrivedAt: 16, incarnation: 0 }));
  expect(found).toHaveLength(2);
});

test("one that was refused, or had arrived before, is none; reads and writes are no commands", () => {
  const { watch, found, at } = watching();
  at(10);
  watch.tap(command(2, { arrivedAt: 9 }));
  at(20);
  watch.tap(command(1, { arrivedAt: 15, status: 409 }));
  watch.tap(command(1, { arrivedAt: 5 }));
  watch.tap(command(3, { arrivedAt: 16 }));
  watch.tap({ ...command(1, { arrivedAt: 17 }), headers: { authorization: "Bearer r1.4.999.signature" } });
  watch.tap({ ...command(1, { arrivedAt: 18 }), to: "machine-2" });
  expect(found).toEqual([]);
});

test("a command that arrived after its end by the clock of its node, and is carried out, is a violation", () => {
  const { watch, found } = watching();
  watch.tap(command(1, { arrivedAt: 50, end: 1051 }));
  watch.tap(command(1, { arrivedAt: 50, end: 1050, status: 401 }));
  // Its clock has jumped since.
  watch.tap({ ...command(1, { arrivedAt: 50, end: 1 }), to: "machine-3" });
  expect(found).toEqual([]);
  watch.tap(command(1, { arrivedAt: 50, end: 1050 }));
  expect(found).toHaveLength(1);
});
