import { utf8 } from "@cairn/protocol";
import { expect, test } from "vitest";
import { errorOfProblem } from "./problem.ts";

function reply(status: number, body: unknown, headers: Record<string, string> = {}) {
  return { status, headers, body: typeof body === "string" ? utf8(body) : utf8(JSON.stringify(body)) };
}

test("a problem document becomes an error with its kind, words, hint, details and the request's id", () => {
  const error = errorOfProblem(
    reply(409, {
      code: "name_conflict",
      detail: "'/a.txt' exists",
      hint: "Pick another name.",
      request_id: "req_1",
      details: { existing: "f_1" },
    }),
    "upload file",
  );
  expect(error).toMatchObject({
    kind: "conflict",
    operation: "upload file",
    subject: "'/a.txt' exists",
    hint: "Pick another name.",
    details: { existing: "f_1", request_id: "req_1" },
  });
});

test.each([
  [404, "not_found", "not-found"],
  [404, "not-found", "not-found"],
  [409, "chunk_gone", "chunk-gone"],
  [409, "stale", "stale"],
  [416, "range_not_satisfiable", "range"],
  [500, "lost", "lost"],
  [503, "no_quorum", "unavailable"],
  [503, "overloaded", "overloaded"],
  [507, "quota_exceeded", "no-space"],
  [418, "a_code_of_tomorrow", "internal"],
  [403, "a_code_of_tomorrow", "forbidden"],
])("status %i with code %s is %s", (status, code, kind) => {
  expect(errorOfProblem(reply(status, { code }), "call").kind).toBe(kind);
});

test("an answer of a proxy, which is no problem document, is judged by its status", () => {
  const error = errorOfProblem(reply(502, "<html>Bad gateway</html>", { "x-request-id": "req_2" }), "call");
  expect(error).toMatchObject({ kind: "unavailable", details: { request_id: "req_2" } });
  expect(error.subject).toContain("502");
});
