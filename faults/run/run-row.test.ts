import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { tableOf } from "./report.ts";
import type { Row, RowResult } from "./row.ts";
import { NotRun, type RowContext } from "./row-context.ts";
import { runRow } from "./run-row.ts";

const never = new AbortController().signal;

function rowOf(run: (context: RowContext) => Promise<void>, more: Partial<Row> = {}): Row {
  return { id: "F00", tier: 0, title: "a fault", expected: "nothing", needs: [], run, ...more };
}

function runOf(row: Row, signal: AbortSignal = never): Promise<RowResult> {
  return runRow(row, { seed: "s", signal, tell: () => undefined });
}

describe("a row", () => {
  test("that asked its oracles and met no failure has passed", async () => {
    const result = await runOf(rowOf(async (context) => context.expect("O1", true, "")));
    expect(result).toMatchObject({ state: "passed", oracles: { O1: 1 }, reasons: [] });
  });

  test("whose oracle found something has failed, and went on to its end", async () => {
    const result = await runOf(
      rowOf(async (context) => {
        context.expect("O1", false, "lost");
        context.note("reached", "the end");
      }),
    );
    expect(result).toMatchObject({ state: "failed", reasons: ["O1: lost"], figures: { reached: "the end" } });
  });

  test("that asked nothing has not passed", async () => {
    expect(await runOf(rowOf(async () => undefined))).toMatchObject({
      state: "failed",
      reasons: ["no oracle was asked"],
    });
  });

  test("that cannot run here is not run, whatever it asked before", async () => {
    const result = await runOf(
      rowOf(async (context) => {
        context.expect("O1", true, "");
        throw new NotRun("no loop devices");
      }),
    );
    expect(result).toMatchObject({ state: "not run", reasons: ["no loop devices"] });
  });

  test("that throws, or takes too long, has failed", async () => {
    const thrown = await runOf(rowOf(() => Promise.reject(new Error("broken"))));
    expect([thrown.state, thrown.reasons[0]]).toEqual(["failed", expect.stringMatching(/^broken/)]);
    const late = await runOf(rowOf((context) => context.pause(60_000), { limitMs: 50 }));
    expect(late).toMatchObject({ state: "failed", reasons: ["it did not end within 0.05 s"] });
  });

  test("undoes what it set up, in reverse, after a failure and after a stop too", async () => {
    const undone: string[] = [];
    const stop = new AbortController();
    let folder = "";
    const running = runOf(
      rowOf(async (context) => {
        folder = context.folder;
        context.defer("first", () => undone.push("first"));
        context.defer("second", () => {
          undone.push("second");
          throw new Error("stuck");
        });
        setTimeout(() => stop.abort(), 20);
        await context.pause(60_000);
      }),
      stop.signal,
    );
    expect((await running).state).toBe("not run");
    expect(undone).toEqual(["second", "first"]);
    expect(existsSync(folder)).toBe(false);
  });

  test("draws the same for the same seed", async () => {
    const draws: number[][] = [];
    const row = rowOf(async (context) => {
      draws.push([context.between(0, 1000), context.between(0, 1000), context.chance()]);
    });
    await runOf(row);
    await runOf(row);
    expect(draws[0]).toEqual(draws[1]);
  });
});

test("the table names what was not run, and never counts it as passed", async () => {
  const result = await runOf(rowOf(() => Promise.reject(new NotRun("needs root"))));
  const table = tableOf({ date: "2026-01-01", commit: "c", machine: "m", seed: "s", rows: [result] });
  expect(table).toContain("**0 passed, 0 failed, 1 not run**");
  expect(table).toContain("| F00 | 0 | a fault | not run |  | 0");
  expect(table).toContain("needs root");
});
