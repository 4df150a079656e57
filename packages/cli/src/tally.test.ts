import { expect, test } from "vitest";
import { Failure, localFailure } from "./failure.ts";
import { Output } from "./output.ts";
import { Tally } from "./tally.ts";
import { memoryTerminal } from "./testing/memory-terminal.ts";

function started(json = false) {
  const terminal = memoryTerminal();
  const output = new Output(terminal, { json, plain: false, quiet: false, color: false, debug: false });
  return { terminal, tally: new Tally(output) };
}

test("some failed items end the run with 3 and are each named", async () => {
  const { terminal, tally } = started();
  await tally.failedItem("a", localFailure("a: no permission"));
  tally.succeeded();
  await tally.failedItem("b", localFailure("b: gone"));
  expect(() => tally.finish()).toThrow(expect.objectContaining({ exitCode: 3, code: "E_PARTIAL" }));
  expect(terminal.err()).toBe("Failed: a: no permission\nFailed: b: gone\n");
});

test("a run of one item ends with the failure of that item, shown once", async () => {
  const { terminal, tally } = started();
  const failure = localFailure("a: no permission");
  await tally.failedItem("a", failure);
  expect(() => tally.finish()).toThrow(failure);
  expect(terminal.err()).toBe("");
});

test("with --json every failed item is a line of stdout", async () => {
  const { terminal, tally } = started(true);
  await tally.failedItem("a\nb", localFailure("no permission"));
  expect(JSON.parse(terminal.out())).toMatchObject({ type: "error", path: "a\nb", exit_code: 1 });
});

test("what would hit every item stops the run at once", async () => {
  const { tally } = started();
  const failure = new Failure("E_UNREACHABLE", "can't reach", { exitCode: 5 });
  await expect(tally.failedItem("a", failure)).rejects.toBe(failure);
});

test("nothing failed, nothing thrown", () => {
  const { tally } = started();
  tally.succeeded();
  tally.finish();
});
