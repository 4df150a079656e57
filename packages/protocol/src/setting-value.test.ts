import { expect, test } from "vitest";
import { StorageError } from "./errors.ts";
import type { Setting } from "./operations-service.ts";
import { formatSettingValue, parseSettingValue } from "./setting-value.ts";

const parse = (unit: Setting["unit"], text: string): number => parseSettingValue({ name: "x", unit }, text);

test.each([
  ["ms", "2s", 2000],
  ["ms", "1.5h", 5_400_000],
  ["ms", "10min", 600_000],
  ["ms", "250", 250],
  ["ms", "0", 0],
  ["bytes/s", "10MiB/s", 10 * 2 ** 20],
  ["bytes/s", "10m", 10 * 2 ** 20],
  ["bytes", "4096", 4096],
  ["bytes", "1.5GiB", 1.5 * 2 ** 30],
  ["percent", "25%", 25],
  ["percent", "25", 25],
  ["switch", "on", 1],
  ["switch", "0", 0],
  ["count", "100,000", 100_000],
] as const)("%s %s is %d", (unit, text, value) => {
  expect(parse(unit, text)).toBe(value);
});

test.each([
  ["ms", "soon"],
  ["ms", "-1s"],
  ["ms", ""],
  ["ms", "2 fortnights"],
  ["bytes/s", "fast"],
  ["percent", "25 %%"],
  ["switch", "2"],
  ["count", "1.5"],
  ["count", "99999999999999999999"],
] as const)("%s '%s' is refused with an example", (unit, text) => {
  const failure = (() => {
    try {
      return parse(unit, text);
    } catch (error) {
      return error;
    }
  })();
  expect(failure).toBeInstanceOf(StorageError);
  expect(failure).toMatchObject({ kind: "invalid", hint: expect.stringMatching(/^(A|It) /) });
});

test("what is shown can be typed in again", () => {
  const values = {
    ms: [0, 1, 1500, 60_000, 86_400_000],
    bytes: [0, 1, 4096, 2 ** 40],
    "bytes/s": [0, 10 * 2 ** 20],
    percent: [0, 99],
    switch: [0, 1],
    count: [0, 131_072],
  };
  for (const [unit, list] of Object.entries(values) as [Setting["unit"], number[]][])
    for (const value of list) expect(parse(unit, formatSettingValue({ unit }, value))).toBe(value);
});
