import { errorKinds, StorageError } from "@cairn/protocol";
import { describe, expect, test } from "vitest";
import { exitCodeMeanings, exitCodeOf, exitCodes } from "./exit-codes.ts";
import { asFailure, Failure, failureDocument, usageFailure } from "./failure.ts";

test("a missing file is told with its name, a hint and exit code 4", () => {
  const failure = asFailure(new StorageError("not-found", "find entry", "/nope"));
  expect(failureDocument(failure)).toEqual({
    type: "error",
    code: "E_NOT_FOUND",
    exit_code: 4,
    message: "cannot find entry: /nope: not found",
    hint: "see what is there with `cairn list`",
  });
});

describe("exit codes", () => {
  test.each([
    ["invalid", 2],
    ["not-found", 4],
    ["unavailable", 5],
    ["overloaded", 5],
    ["unauthenticated", 6],
    ["forbidden", 6],
    ["conflict", 7],
    ["precondition-failed", 7],
    ["no-space", 8],
    ["corrupt", 10],
    ["lost", 10],
    ["cancelled", 130],
    ["internal", 1],
  ] as const)("of %s is %d", (kind, code) => {
    expect(exitCodeOf(kind)).toBe(code);
  });

  test("of every kind of failure is one that is documented, and never success", () => {
    const documented = exitCodeMeanings.map(([code]) => code);
    for (const kind of errorKinds) {
      expect(documented).toContain(exitCodeOf(kind));
      expect(exitCodeOf(kind)).not.toBe(exitCodes.ok);
    }
  });

  test("are each documented once", () => {
    const documented = exitCodeMeanings.map(([code]) => code);
    expect(new Set(documented).size).toBe(documented.length);
    expect([...documented].sort((a, b) => a - b)).toEqual(Object.values(exitCodes).sort((a, b) => a - b));
  });
});

describe("messages", () => {
  test("leave out what the server was doing, and what the subject says already", () => {
    const error = new StorageError("unauthenticated", "find entry", "check access token: the token is revoked");
    expect(asFailure(error).message).toBe("cannot find entry: the token is revoked");
  });

  test("name the cluster that cannot be reached", () => {
    const cause = Object.assign(new Error("connect"), { code: "ECONNREFUSED" });
    const error = new StorageError("unavailable", "reach server", "http://127.0.0.1:1 (ECONNREFUSED)", { cause });
    const failure = asFailure(error);
    expect(failure.message).toBe("can't reach http://127.0.0.1:1 (connection refused)");
    expect(failure.code).toBe("E_UNREACHABLE");
  });

  test("list the candidates of an id that fits several", () => {
    const details = { candidates: ["f_01a", "f_01b"] };
    const failure = asFailure(new StorageError("conflict", "find entry", "more than one", { details }));
    expect(failure.hint).toContain("f_01a, f_01b");
  });

  test("speak of options, not of the parameters of REST", () => {
    const hint = "Say what to do: onConflict=rename.";
    expect(asFailure(new StorageError("conflict", "upload", "/a exists", { hint })).hint).toContain("--on-conflict");
  });

  test("carry the request id", () => {
    const details = { requestId: "req_1" };
    expect(asFailure(new StorageError("internal", "list", "x", { details })).requestId).toBe("req_1");
  });
});

test("failures of this machine name the path and end with 1", () => {
  const error = Object.assign(new Error("EACCES: permission denied"), { code: "EACCES", path: "/secret" });
  expect(asFailure(error)).toMatchObject({ exitCode: 1, code: "E_EACCES", message: "/secret: no permission" });
  expect(asFailure(error).hint).toBeDefined();
});

test("a local path that does not exist ends with 4", () => {
  const error = Object.assign(new Error("ENOENT"), { code: "ENOENT", path: "./nope" });
  expect(asFailure(error).exitCode).toBe(4);
});

test("anything else thrown becomes an internal failure", () => {
  expect(asFailure(new TypeError("x is not a function"))).toMatchObject({ exitCode: 1, code: "E_INTERNAL" });
  expect(asFailure("text")).toMatchObject({ exitCode: 1, message: "text" });
});

test("a failure stays itself", () => {
  const failure = usageFailure("wrong");
  expect(asFailure(failure)).toBe(failure);
  expect(failure).toBeInstanceOf(Failure);
});
