import { StorageError } from "@cairn/protocol";
import { expect, test } from "vitest";
import { parseCommandOptions } from "./command-options.ts";

function failureOf(argv: readonly string[], environment: Record<string, string> = {}): StorageError {
  try {
    parseCommandOptions(argv, environment);
  } catch (error) {
    if (error instanceof StorageError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

test("thresholds are given with units, by flag and by environment, and the flag wins", () => {
  const { settings } = parseCommandOptions(["--set", "repair.rate=20MiB", "--set=storm.lost-disks=50%"], {
    CAIRN_SET: "repair.rate=1MiB,scrub.every=7d",
  });
  expect(settings).toEqual({ "repair.rate": 20 * 2 ** 20, "scrub.every": 604_800_000, "storm.lost-disks": 50 });
});

test("--repair-delay is the delay of every repair, and never longer with one copy left", () => {
  expect(parseCommandOptions(["--repair-delay", "2s"], {}).settings).toEqual({
    "repair.delay": 2000,
    "repair.delay-single": 2000,
  });
  expect(parseCommandOptions([], { CAIRN_REPAIR_DELAY: "1h" }).settings).toEqual({
    "repair.delay": 3_600_000,
    "repair.delay-single": 300_000,
  });
  expect(parseCommandOptions([], {}).settings).toEqual({});
});

test("an unknown name, a value that is none, and one out of range are refused before anything starts", () => {
  expect(failureOf(["--set", "repair.dealy=2s"])).toMatchObject({
    kind: "invalid",
    hint: expect.stringContaining("repair.delay"),
  });
  expect(failureOf(["--set", "repair.delay"])).toMatchObject({
    hint: expect.stringContaining("--set repair.delay=2s"),
  });
  expect(failureOf(["--set", "repair.delay=soon"]).kind).toBe("invalid");
  expect(failureOf(["--set", "storm.lost-disks=101%"])).toMatchObject({
    hint: expect.stringContaining("from 0 to 100"),
  });
  expect(failureOf(["--repair-delay", "2 days"]).kind).toBe("invalid");
});
