import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Ledger, type LedgerEntry } from "./ledger.ts";
import { judge, mustBeAbsent, mustExist } from "./legal-reads.ts";
import { type PayloadHeader, parsePayload, payloadOf } from "./payload.ts";

const header: PayloadHeader = { run: "r", client: 1, seq: 3, key: "a", length: 5000 };

describe("a payload", () => {
  test("tells which write made it", () => {
    expect(parsePayload(payloadOf(header))).toEqual(header);
  });

  test("cut, mixed and changed bytes are recognised", () => {
    const bytes = payloadOf(header);
    expect(() => parsePayload(bytes.subarray(0, 4096))).toThrow("4096 of 5000 bytes of a client 1 write 3");
    const mixed = Buffer.concat([bytes.subarray(0, 2000), payloadOf({ ...header, seq: 4 }).subarray(2000)]);
    expect(() => parsePayload(mixed)).toThrow("differs from what was written at byte 20");
    const flipped = Uint8Array.from(bytes);
    flipped[4000] = (flipped[4000] ?? 0) ^ 1;
    expect(() => parsePayload(flipped)).toThrow("at byte 4000");
    expect(() => parsePayload(new Uint8Array(100))).toThrow("no payload");
  });
});

test("the ledger has each change on disk before it is asked for, and its outcome after", () => {
  const folder = mkdtempSync(join(tmpdir(), "cairn-ledger-"));
  try {
    using ledger = new Ledger(join(folder, "ledger.jsonl"));
    const lines = (): number => readFileSync(join(folder, "ledger.jsonl"), "utf8").split("\n").length - 1;
    const entry = ledger.begin({ kind: "put", key: "a", client: 0, seq: 1, length: 10 });
    expect(lines()).toBe(1);
    ledger.end(entry, "unknown", "reset");
    expect([lines(), entry.outcome, entry.end]).toEqual([2, "unknown", Number.POSITIVE_INFINITY]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Changes of key `a` in order: `put 1 10-20 ok`. */
function changes(...lines: string[]): LedgerEntry[] {
  return lines.map((line, id) => {
    const [kind = "", seq = "", times = "", outcome = ""] = line.split(" ");
    const [begin = 0, end = 0] = times.split("-").map(Number);
    const known = outcome === "ok" || outcome === "fail";
    return {
      ...{ id, kind: kind as "put", key: "a", client: 1, seq: Number(seq), length: 5000, begin },
      ...{ end: known ? end : Number.POSITIVE_INFINITY, outcome: outcome as "ok", why: undefined },
    };
  });
}

function violation(history: LedgerEntry[], seq: number | undefined, at = 100): string | undefined {
  const seen = seq === undefined ? undefined : { ...header, seq };
  return judge(history, { key: "a", begin: at, end: at + 1, seen })?.violation;
}

describe("a read", () => {
  test("of the write that was acknowledged last is legal, of an older one stale, of none lost", () => {
    const history = changes("put 1 10-20 ok", "put 2 30-40 ok");
    expect([violation(history, 2), violation(history, 1), violation(history, undefined)]).toEqual([
      undefined,
      "stale",
      "lost",
    ]);
  });

  test("may see a write of unknown outcome or the one before it", () => {
    const history = changes("put 1 10-20 ok", "put 2 30-40 unknown");
    expect([violation(history, 2), violation(history, 1), violation(history, undefined)]).toEqual([
      undefined,
      undefined,
      "lost",
    ]);
  });

  test("during a write may see either", () => {
    const history = changes("put 1 10-20 ok", "put 2 30-200 ok");
    expect([violation(history, 2), violation(history, 1)]).toEqual([undefined, undefined]);
  });

  test("after a delete sees nothing; a write that comes back is resurrected", () => {
    const history = changes("put 1 10-20 ok", "delete 1 30-40 ok");
    expect([violation(history, undefined), violation(history, 1)]).toEqual([undefined, "resurrected"]);
  });

  test("of a refused write, or of another key, is foreign", () => {
    const history = changes("put 1 10-20 ok", "put 2 30-40 fail");
    expect(violation(history, 2)).toBe("foreign");
    expect(judge(history, { key: "a", begin: 50, end: 51, seen: { ...header, key: "b", seq: 1 } })?.violation).toBe(
      "foreign",
    );
  });

  test("before anything was acknowledged may see nothing", () => {
    expect(violation(changes("put 1 10-200 unknown"), undefined)).toBe(undefined);
  });
});

test("a listing must have what was acknowledged, and must not have what was deleted for sure", () => {
  expect(mustExist(changes("put 1 10-20 ok"))).toBe(true);
  expect(mustExist(changes("put 1 10-20 ok", "delete 1 30-40 unknown"))).toBe(false);
  expect(mustExist(changes("put 1 10-20 unknown"))).toBe(false);
  expect(mustBeAbsent(changes("put 1 10-20 ok", "delete 1 30-40 ok"))).toBe(true);
  expect(mustBeAbsent(changes("put 1 10-20 unknown", "delete 1 30-40 ok"))).toBe(false);
  expect(mustBeAbsent(changes("put 1 10-20 fail"))).toBe(true);
});
