import { expect, test } from "vitest";
import { type LogLevel, PinoLog } from "./log.ts";

function openLog(level: LogLevel = "debug"): { log: PinoLog; lines: string[] } {
  const lines: string[] = [];
  return {
    lines,
    log: PinoLog.open({ name: "node-1", level, destination: { write: (line) => void lines.push(line) } }),
  };
}

test("an event is one line of JSON with its fields, the process and the message", () => {
  const { log, lines } = openLog();
  log.child({ disk: 3 }).warn({ chunk: "abc", count: 2 }, "a chunk\nis corrupt");
  expect(lines).toHaveLength(1);
  expect(lines[0]?.endsWith("\n")).toBe(true);
  expect(lines[0]?.trim()).not.toContain("\n");
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    name: "node-1",
    disk: 3,
    chunk: "abc",
    count: 2,
    msg: "a chunk\nis corrupt",
  });
});

test("secrets are not written, at the top, inside, in headers, in a child or in an error", () => {
  const { log, lines } = openLog();
  for (const name of ["token", "secret", "credential", "password", "authorization", "tokenKey", "receiptKey"]) {
    log.info({ [name]: "hush" }, "top");
    log.info({ inner: { [name]: "hush" } }, "inside");
    log.info({ request: { headers: { [name]: "hush" } } }, "headers");
    log.child({ [name]: "hush" }).info({}, "child");
    log.child({ inner: { [name]: "hush" } }).info({}, "inside a child");
    log.error({ err: Object.assign(new Error("failed"), { details: { [name]: "hush" } }) }, "error");
  }
  expect(lines).toHaveLength(42);
  expect(lines.filter((line) => line.includes("hush"))).toEqual([]);
  expect(lines.filter((line) => !line.includes("(secret)"))).toEqual([]);
});

test("the objects that are logged keep their secrets", () => {
  const { log } = openLog();
  const fields = { inner: { token: "hush" } };
  log.info(fields, "used later");
  expect(fields.inner.token).toBe("hush");
});

test("events below the level are left out", () => {
  const { log, lines } = openLog("warn");
  log.debug({}, "debug");
  log.info({}, "info");
  log.child({}).info({}, "info");
  log.warn({}, "warn");
  log.error({}, "error");
  expect(lines.map((line) => JSON.parse(line).msg)).toEqual(["warn", "error"]);
});

test("an error tells its kind, message and stack", () => {
  const { log, lines } = openLog();
  log.error({ err: Object.assign(new Error("boom"), { kind: "corrupt" }) }, "failed");
  expect(JSON.parse(lines[0] ?? "").err).toMatchObject({ message: "boom", kind: "corrupt", stack: expect.any(String) });
});
