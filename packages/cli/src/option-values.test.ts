import { expect, test } from "vitest";
import { countValue, durationValue, portValue, rangeValue } from "./option-values.ts";

test("ranges are those of HTTP", () => {
  expect(rangeValue("0-4095")).toEqual({ offset: 0, length: 4096 });
  expect(rangeValue("5-5")).toEqual({ offset: 5, length: 1 });
  expect(rangeValue("4096-")).toEqual({ offset: 4096, length: undefined });
  expect(rangeValue("-100")).toEqual({ offset: -100, length: undefined });
});

test.each(["", "-", "a-b", "5-4", "1", "1-2-3", "1.5-2"])("%j is no range", (text) => {
  expect(() => rangeValue(text)).toThrow();
});

test.each(["0", "-1", "x", "1.5", "1025", ""])("%j is no count", (text) => {
  expect(() => countValue(text)).toThrow();
});

test("ports may be 0, for any free one", () => {
  expect([portValue("0"), portValue("7070"), portValue("65535")]).toEqual([0, 7070, 65_535]);
  for (const wrong of ["65536", "-1", "http", ""]) expect(() => portValue(wrong)).toThrow();
});

test("durations need a unit", () => {
  expect(durationValue("30d")).toBe(2_592_000_000);
  expect(() => durationValue("30")).toThrow();
});
