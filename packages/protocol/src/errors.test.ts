import fc from "fast-check";
import { expect, test } from "vitest";
import {
  asStorageError,
  type ErrorKind,
  errorKinds,
  fromWireError,
  isKind,
  StorageError,
  toWireError,
} from "./errors.ts";
import { failed, succeeded, unwrap } from "./outcome.ts";

test("an error arrives with its kind, words, hint and facts, and without its cause", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...errorKinds),
      fc.string(),
      fc.string(),
      fc.option(fc.string()),
      (kind, operation, subject, hint) => {
        const error = new StorageError(kind, operation, subject, {
          ...(hint === null ? {} : { hint }),
          details: { chunks: ["a"] },
          cause: new Error("a path on this machine"),
        });
        const wire = JSON.stringify(toWireError(error));
        expect(wire).not.toContain("a path on this machine");
        const arrived = fromWireError(JSON.parse(wire), "call");
        expect({ ...toWireError(arrived) }).toEqual(toWireError(error));
      },
    ),
  );
});

test("whatever a peer sends as an error becomes a StorageError", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const error = fromWireError(value, "call");
      expect(error).toBeInstanceOf(StorageError);
      expect(errorKinds).toContain(error.kind);
    }),
  );
  expect(fromWireError({ kind: "constructor" }, "call").kind).toBe("internal");
  expect(fromWireError({ kind: "stale", operation: 5, subject: null, details: "x", hint: {} }, "call")).toMatchObject({
    kind: "stale",
    details: {},
    hint: undefined,
  });
});

test("what is thrown stays what it is, or becomes an internal error around it", () => {
  const known = new StorageError("stale" satisfies ErrorKind, "put", "x");
  expect(asStorageError(known, "other")).toBe(known);
  const bug = new TypeError("x is not a function");
  expect(asStorageError(bug, "other")).toMatchObject({ kind: "internal", operation: "other", cause: bug });
  expect(isKind(known, "invalid", "stale")).toBe(true);
  expect(isKind(known, "invalid")).toBe(false);
  expect(isKind(bug, "internal")).toBe(false);
  expect(unwrap(succeeded(5))).toBe(5);
  expect(() => unwrap(failed(known, "other"))).toThrow(known);
});
