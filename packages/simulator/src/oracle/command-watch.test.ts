import { expect, test } from "vitest";
import { CommandWatch } from "./command-watch.ts";

function command(epoch: number, times: { arrivedAt: number; status?: number; incarnation?: number }) {
  const { arrivedAt, status = 200, incarnation = 1 } = times;
  const headers = { authorization: `Bearer c1.node-1.${incarnation}.${epoch}.99999.signature` };
  const exchange = { from: "metadata", to: "machine-1", method: "POST", target: "/chunks/delete" };
  return { ...exchange, headers, body: new Uint8Array(0), status, arrivedAt };
}

function watching(): { watch: CommandWatch; found: string[]; at: (ms: number) => void } {
  const found: string[] = [];
  let now = 0;
  const watch = new CommandWatch(
    () => now,
    (message) => found.push(message),
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
