import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { rows } from "./rows/index.ts";
import { runRow } from "./run/run-row.ts";

const seed = process.env["CAIRN_SEED"] ?? randomBytes(4).toString("hex");

describe(`faults on real processes, seed ${seed}`, () => {
  test.each(rows.filter(({ quick }) => quick).map((row) => [row.id, row.title, row] as const))(
    "%s: %s",
    { timeout: 200_000 },
    async (id, _, row) => {
      const lines: string[] = [];
      const tell = (line: string): number => lines.push(line);
      const signal = new AbortController().signal;
      const result = await runRow(row, { seed: `${seed}-${id}`, signal, tell });
      expect({ state: result.state, reasons: result.reasons }).toEqual({ state: "passed", reasons: [] });
    },
  );
});
