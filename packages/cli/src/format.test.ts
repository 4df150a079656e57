import { expect, test } from "vitest";
import {
  escapeControls,
  formatAge,
  formatBytes,
  formatDuration,
  formatItems,
  parseBytes,
  parseDuration,
} from "./format.ts";

test.each([
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1 KiB"],
  [1536, "1.5 KiB"],
  [10_240, "10 KiB"],
  [1024 * 1024 - 1, "1 MiB"],
  [12.4 * 1024 ** 3, "12.4 GiB"],
  [999.7 * 1024, "1000 KiB"],
  [2 ** 52, "4 PiB"],
  [2 ** 63, "8192 PiB"],
])("%d bytes are shown as %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [0, "just now"],
  [4_999, "just now"],
  [59_999, "59 s ago"],
  [60_000, "1 min ago"],
  [3_600_000, "1 h ago"],
  [86_400_000, "1 day ago"],
  [30 * 86_400_000, "30 days ago"],
])("%d ms ago is shown as %s", (elapsed, text) => {
  expect(formatAge(1_800_000_000_000 - elapsed, 1_800_000_000_000)).toBe(text);
});

test("a time beyond a month is shown as a date, and one in the future exactly", () => {
  expect(formatAge(Date.UTC(2026, 0, 2), Date.UTC(2026, 5, 1))).toBe("2026-01-02");
  expect(formatAge(Date.UTC(2027, 0, 2), Date.UTC(2026, 5, 1))).toBe("2027-01-02T00:00:00.000Z");
});

test.each([
  [400, "0.4 s"],
  [9_960, "10 s"],
  [59_600, "1 min 0 s"],
  [200_000, "3 min 20 s"],
  [7_500_000, "2 h 5 min"],
])("%d ms last %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test("one file is not one files", () => {
  expect([formatItems(1, "file"), formatItems(0, "file"), formatItems(8412, "chunk")]).toEqual([
    "1 file",
    "0 files",
    "8,412 chunks",
  ]);
});

test("names cannot move the cursor, break lines or turn the writing direction", () => {
  expect(escapeControls("a\nb\tc\rd")).toBe("a\\nb\\tc\\rd");
  expect(escapeControls("\u001b[2Jx\u007f\u009b1m")).toBe("\\x1b[2Jx\\x7f\\x9b1m");
  expect(escapeControls("invoice\u202efdp.exe")).toBe("invoice\\u{202e}fdp.exe");
  expect(escapeControls("\ud800 alone")).toBe("\\u{d800} alone");
});

test("names in any script stay as they are", () => {
  for (const name of ["Zürich.txt", "ファイル", "ملف", "👩‍👩‍👧 family 🇨🇭", "a b"])
    expect(escapeControls(name)).toBe(name);
});

test.each([
  ["0", 0],
  ["4096", 4096],
  ["10M", 10 * 1024 ** 2],
  ["10MiB", 10 * 1024 ** 2],
  ["1.5g", 1.5 * 1024 ** 3],
  ["2 kb", 2048],
])("people may write %s", (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes);
});

test.each(["", "x", "-1", "1.2.3", "10X", "99999999P"])("%j is no size", (text) => {
  expect(parseBytes(text)).toBeUndefined();
});

test.each([
  ["90s", 90_000],
  ["15m", 900_000],
  ["12h", 43_200_000],
  ["30d", 2_592_000_000],
  ["250ms", 250],
])("a duration of %s", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(["", "30", "d", "-1d", "1y"])("%j is no duration", (text) => {
  expect(parseDuration(text)).toBeUndefined();
});
