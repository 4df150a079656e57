import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { Output, type OutputFlags } from "./output.ts";
import { type ProgressWanted, TransferProgress, type TransferState } from "./progress.ts";
import { memoryTerminal } from "./testing/memory-terminal.ts";

const flags: OutputFlags = { json: false, plain: false, quiet: false, color: false, debug: false };
const half: TransferState = { bytesDone: 512, bytesTotal: 1024, bytesKnown: 0, filesDone: 3, filesTotal: 7 };

function started(
  options: { tty?: boolean; wanted?: ProgressWanted; flags?: Partial<OutputFlags>; term?: string } = {},
) {
  const env = options.term === undefined ? {} : { TERM: options.term };
  const terminal = memoryTerminal({ tty: options.tty ?? false, env });
  const output = new Output(terminal, { ...flags, ...options.flags });
  const progress = new TransferProgress(output, "Uploading", () => half).start(terminal, options.wanted ?? "auto");
  return { terminal, output, progress };
}

test("on a terminal a bar on stderr shows share, files and bytes, and is gone at the end", async () => {
  const { terminal, progress } = started({ tty: true });
  await pause(250);
  expect(terminal.err()).toContain("50 % Uploading 3 of 7 files · 512 B of 1 KiB");
  expect(terminal.out()).toBe("");
  progress[Symbol.dispose]();
  const afterwards = terminal.err().split("\u001b[?25h");
  expect(afterwards.length).toBe(2);
  expect(afterwards[1]).not.toContain("█");
});

test("it paints at most ten times a second", async () => {
  const { terminal, progress } = started({ tty: true });
  await pause(1000);
  progress[Symbol.dispose]();
  expect(terminal.err().split("Uploading").length - 1).toBeLessThanOrEqual(13);
});

test("a line of data takes the place of the bar instead of running into it", async () => {
  const { terminal, output, progress } = started({ tty: true });
  await pause(150);
  await output.line("f_1  /a");
  expect(terminal.err().endsWith("\r\u001b[2K")).toBe(true);
  progress[Symbol.dispose]();
});

test("in a pipe nothing is painted, and with --progress=always a line now and then", async () => {
  const quiet = started();
  const eager = started({ wanted: "always" });
  await pause(1100);
  expect(quiet.terminal.err()).toBe("");
  expect(eager.terminal.err()).toBe("Uploading 3 of 7 files · 512 B of 1 KiB\n");
  quiet.progress[Symbol.dispose]();
  eager.progress[Symbol.dispose]();
});

test("with --json status lines go to stdout", async () => {
  const { terminal, progress } = started({ flags: { json: true }, tty: true });
  await pause(1100);
  progress[Symbol.dispose]();
  expect(JSON.parse(terminal.out())).toMatchObject({ type: "status", bytesDone: 512, bytesTotal: 1024, filesDone: 3 });
  expect(terminal.err()).toBe("");
});

test.each([{ wanted: "never" as const }, { flags: { quiet: true } }, { term: "dumb" }])(
  "with %j a terminal gets no bar",
  async (options) => {
    const { terminal, progress } = started({ tty: true, ...options });
    await pause(150);
    progress[Symbol.dispose]();
    expect(terminal.err()).toBe("");
  },
);
