import { describe, expect, test } from "vitest";
import { checkLinearizable, failures, type Verdict } from "./checker.ts";
import type { Answer, Call, Operation } from "./history.ts";

/** `0-10 put a → done`, `5-8 cas a b → refused`, `1-2 get → a`, `1-2 get → nothing`, `3-9 delete → unknown`. */
function history(...lines: string[]): Operation[] {
  return lines.map((line, client) => {
    const [, begin, end, words = "", said = ""] = /^(\d+)-(\d+) (.*) → (.*)$/.exec(line) ?? [];
    const [kind, one = "", two = ""] = words.split(" ");
    const call = (kind === "cas" ? { kind, expected: one, value: two } : { kind, value: one }) as Call;
    const answer: Answer = ["done", "refused", "unknown"].includes(said)
      ? { kind: said as "done" }
      : { kind: "value", value: said === "nothing" ? undefined : said };
    return { key: "k", client, call, begin: Number(begin), end: Number(end), answer };
  });
}

function verdict(...lines: string[]): Verdict | undefined {
  return checkLinearizable(history(...lines))[0]?.verdict;
}

describe("histories of a register", () => {
  test.each([
    ["a read after a write", ["0-10 put a → done", "11-12 get → a"]],
    ["a read during a write sees either", ["0-9 put a → done", "10-30 put b → done", "12-13 get → a", "14-15 get → b"]],
    [
      "an unknown write that is seen later",
      ["0-10 put a → done", "11-12 put b → unknown", "20-21 get → a", "30-31 get → b"],
    ],
    ["an unknown write that never happened", ["0-10 put a → done", "11-12 put b → unknown", "20-21 get → a"]],
    ["one winner of a race", ["0-10 create a → done", "1-9 create b → refused", "12-13 get → a"]],
    ["a refused compare-and-set", ["0-1 put a → done", "2-3 put b → done", "4-5 cas a c → refused", "6-7 get → b"]],
    ["a delete and a new one", ["0-1 put a → done", "2-3 delete → done", "4-5 get → nothing", "6-7 create b → done"]],
    ["a delete of nothing", ["0-1 delete → refused", "2-3 get → nothing"]],
    ["an unknown delete", ["0-1 put a → done", "2-3 delete → unknown", "4-5 get → a", "6-7 get → nothing"]],
  ])("%s is linearizable", (_, lines) => {
    expect(verdict(...lines)).toBe("linearizable");
  });

  test.each([
    ["a stale read", ["0-1 put a → done", "2-3 put b → done", "4-5 get → a"]],
    ["a read that goes back in time", ["0-1 put a → done", "2-30 put b → done", "4-5 get → b", "6-7 get → a"]],
    ["a lost update", ["0-1 put a → done", "2-8 cas a b → done", "3-9 cas a c → done"]],
    ["two winners of create-if-absent", ["0-10 create a → done", "1-9 create b → done"]],
    ["a resurrected delete", ["0-1 put a → done", "2-3 delete → done", "4-5 get → a"]],
    ["a lost write", ["0-1 put a → done", "2-3 get → nothing"]],
    ["a refused create where nothing was", ["0-1 create a → refused", "2-3 get → nothing"]],
    ["a value that nobody wrote", ["0-1 put a → done", "2-3 get → z"]],
    ["an unknown write that comes and goes", ["0-1 put a → done", "2-3 put b → unknown", "4-5 get → b", "6-7 get → a"]],
    ["a refused write that is seen", ["0-1 put a → done", "2-3 create b → refused", "4-5 get → b"]],
  ])("%s is a violation, and the report says where", (_, lines) => {
    const reports = checkLinearizable(history(...lines));
    expect(reports[0]?.verdict).toBe("violation");
    expect(failures(reports)[0]).toMatch(/k: violation in \d calls\n {2}no order fits/);
  });

  test("keys are judged apart", () => {
    const bad = history("0-1 put a → done", "2-3 get → nothing").map((it) => ({ ...it, key: "bad" }));
    const reports = checkLinearizable([...history("0-1 put a → done"), ...bad]);
    expect(reports.map(({ key, verdict: found }) => [key, found])).toEqual([
      ["k", "linearizable"],
      ["bad", "violation"],
    ]);
  });

  test("what cannot be decided is no pass", () => {
    const calls = Array.from({ length: 14 }, (_, index) => `0-100 put v${index} → done`);
    const reports = checkLinearizable(history(...calls, "101-102 get → z"), { stepsMax: 1000 });
    expect(reports[0]?.verdict).toBe("undecided");
    expect(failures(reports)).toHaveLength(1);
  });
});

describe("random histories of 12 clients and 300 calls", () => {
  // Each call takes effect at a moment between its begin and its end, as a register would do it.
  function run(seed: number): Operation[] {
    const chance = chances(seed);
    const order = Array.from({ length: 300 }, (_, index) => ({ at: index * 10, client: Math.floor(chance() * 12) }));
    let value: string | undefined;
    return order.map(({ at, client }, index) => {
      const [begin, end] = [at - chance() * 60, at + chance() * 60];
      const kind = (["get", "put", "delete", "create", "cas"] as const)[Math.floor(chance() * 5)] ?? "get";
      const next = `v${index}`;
      const holds = {
        get: true,
        put: true,
        delete: value !== undefined,
        create: value === undefined,
        cas: chance() < 0.5,
      };
      const expected = holds.cas ? (value ?? "none") : "other";
      const done = kind === "cas" ? value === expected : holds[kind];
      const answer: Answer = kind === "get" ? { kind: "value", value } : done ? { kind: "done" } : { kind: "refused" };
      if (done && kind !== "get") value = kind === "delete" ? undefined : next;
      const call = (kind === "cas" ? { kind, expected, value: next } : { kind, value: next }) as Call;
      const lost = kind !== "get" && chance() < 0.05;
      return { key: "k", client, call, begin, end, answer: lost ? { kind: "unknown" } : answer };
    });
  }

  test.each([1, 2, 3, 4, 5, 6])("of seed %i are linearizable, and not with one answer changed", (seed) => {
    const good = run(seed);
    expect(checkLinearizable(good)[0]?.verdict).toBe("linearizable");
    const read = good.findIndex(
      ({ call, answer }, index) => index > 150 && call.kind === "get" && answer.kind === "value",
    );
    const bad = good.with(read, { ...(good[read] as Operation), answer: { kind: "value", value: "v0-never" } });
    expect(checkLinearizable(bad)[0]?.verdict).toBe("violation");
  });
});

function chances(seed: number): () => number {
  let state = seed * 2654435761;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 0x9e3779b9) >>> 0;
    return state / 2 ** 32;
  };
}
