import { expect, test } from "vitest";
import { absent, Ledger } from "./ledger.ts";

test("a path holds what was acknowledged last, or what may still be under way", () => {
  const ledger = new Ledger();
  const first = ledger.begin("a", "one", 1);
  expect([...ledger.possible("a", 2, 3)]).toEqual([absent, "one"]);
  ledger.acknowledge(first, 4);
  expect([...ledger.possible("a", 5, 6)]).toEqual(["one"]);
  ledger.begin("a", "two", 7);
  expect([...ledger.possible("a", 100, 101)]).toEqual(["one", "two"]);
});

test("a reading may still find what was overwritten while it went on", () => {
  const ledger = new Ledger();
  ledger.acknowledge(ledger.begin("a", "one", 1), 2);
  ledger.acknowledge(ledger.begin("a", "two", 3), 6);
  expect([...ledger.possible("a", 5, 8)]).toEqual([absent, "one", "two"].slice(1));
  expect([...ledger.possible("a", 7, 8)]).toEqual(["two"]);
});

test("two changes at the same time may take place in either order", () => {
  const ledger = new Ledger();
  const [one, two] = [ledger.begin("a", "one", 1), ledger.begin("a", "two", 2)];
  ledger.acknowledge(one, 5);
  ledger.acknowledge(two, 4);
  expect([...ledger.possible("a", 10, 11)]).toEqual(["one", "two"]);
});

test("what is written where a move may still come from may be found where it leads", () => {
  const ledger = new Ledger();
  ledger.acknowledge(ledger.begin("from", "one", 1), 2);
  ledger.begin("from", absent, 3);
  ledger.begin("to", "one", 3);
  ledger.mayMove("from", "to");
  ledger.mayMove("to", "from");
  ledger.acknowledge(ledger.begin("from", "two", 4), 5);
  expect([...ledger.possible("to", 10, 11)]).toEqual([absent, "one", "two"]);
  expect([...ledger.possible("from", 10, 11)]).toContain("two");
});

test("a removal that looked up its entry before another took its place may leave that one standing", () => {
  const ledger = new Ledger();
  ledger.acknowledge(ledger.begin("a", "one", 1), 2);
  const lookUp = 3;
  ledger.acknowledge(ledger.begin("a", "two", 4), 5);
  ledger.acknowledge(ledger.begin("a", absent, lookUp), 7);
  expect([...ledger.possible("a", 8, 9)]).toEqual(["two", absent]);
});
