import { expect, test } from "vitest";
import { colorsFor } from "./terminal.ts";
import { memoryTerminal } from "./testing/memory-terminal.ts";

function painted(env: Record<string, string>, options: { tty: boolean; wanted?: boolean }): boolean {
  const { stdout } = memoryTerminal({ tty: options.tty });
  return colorsFor(stdout, env, options.wanted ?? true).red("x") !== "x";
}

test("a terminal gets colours, a pipe does not", () => {
  expect(painted({}, { tty: true })).toBe(true);
  expect(painted({}, { tty: false })).toBe(false);
});

test("NO_COLOR, a dumb terminal and --no-color switch colours off", () => {
  expect(painted({ NO_COLOR: "1" }, { tty: true })).toBe(false);
  expect(painted({ TERM: "dumb" }, { tty: true })).toBe(false);
  expect(painted({}, { tty: true, wanted: false })).toBe(false);
});

test("CLICOLOR_FORCE paints pipes too, unless NO_COLOR is set", () => {
  expect(painted({ CLICOLOR_FORCE: "1" }, { tty: false })).toBe(true);
  expect(painted({ CLICOLOR_FORCE: "0" }, { tty: false })).toBe(false);
  expect(painted({ CLICOLOR_FORCE: "1", NO_COLOR: "1" }, { tty: false })).toBe(false);
});

test("an empty NO_COLOR counts as absent", () => {
  expect(painted({ NO_COLOR: "" }, { tty: true })).toBe(true);
});
