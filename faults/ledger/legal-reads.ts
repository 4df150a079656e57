import type { LedgerEntry } from "./ledger.ts";
import { nameOf, type PayloadHeader } from "./payload.ts";

/** What a client saw under a key between two moments; undefined: there was nothing. */
export interface Observation {
  readonly key: string;
  readonly begin: number;
  readonly end: number;
  readonly seen: PayloadHeader | undefined;
}

/**
 * - lost: nothing is there, though an acknowledged write should be
 * - stale: an older write than the one that was acknowledged last
 * - resurrected: a write that an acknowledged delete had removed
 * - foreign: bytes of another key or run, or of a write that was refused or never asked for
 */
export type Violation = "lost" | "stale" | "resurrected" | "foreign";

export interface Judgement {
  readonly violation: Violation;
  readonly message: string;
}

/**
 * Judges an observation by all changes of its key. A change may be seen from the moment it was asked for until an
 * acknowledged one that began after its end has ended; one of unknown outcome may be seen at any time after it began.
 */
export function judge(changes: readonly LedgerEntry[], observation: Observation): Judgement | undefined {
  const { seen } = observation;
  const done = changes.filter((it) => it.outcome === "ok" && it.end <= observation.begin);
  const last = done.reduce<LedgerEntry | undefined>((a, b) => (!a || b.end > a.end ? b : a), undefined);
  const superseded = (end: number): boolean => done.some((it) => it.begin >= end);
  if (seen === undefined) {
    const deleted = changes.some(
      (it) => it.kind === "delete" && it.outcome !== "fail" && it.begin <= observation.end && !superseded(it.end),
    );
    if (deleted || !superseded(Number.NEGATIVE_INFINITY)) return undefined;
    return verdict("lost", `${observation.key} is gone; ${last ? nameOf(last) : "a write"} was acknowledged`);
  }
  const write = changes.find((it) => it.kind === "put" && it.client === seen.client && it.seq === seen.seq);
  if (seen.key !== observation.key || !write) {
    return verdict("foreign", `${observation.key} has the bytes of ${nameOf(seen)} of run ${seen.run}`);
  }
  if (write.outcome === "fail") return verdict("foreign", `${nameOf(seen)} was refused and is there`);
  if (write.begin > observation.end) return verdict("foreign", `${nameOf(seen)} was seen before it was asked for`);
  if (!superseded(write.end)) return undefined;
  return last?.kind === "delete"
    ? verdict("resurrected", `${nameOf(seen)} is back after an acknowledged delete`)
    : verdict("stale", `${nameOf(seen)} is there; ${last ? nameOf(last) : "a later write"} was acknowledged`);
}

/** True when an acknowledged put must be there at the end, whatever became of changes of unknown outcome. */
export function mustExist(changes: readonly LedgerEntry[]): boolean {
  const observation = { key: "", begin: Number.POSITIVE_INFINITY, end: Number.POSITIVE_INFINITY, seen: undefined };
  return judge(changes, observation) !== undefined;
}

/** True when no put of the key can be there at the end. */
export function mustBeAbsent(changes: readonly LedgerEntry[]): boolean {
  const puts = changes.filter((it) => it.kind === "put" && it.outcome !== "fail");
  const done = changes.filter((it) => it.outcome === "ok");
  return puts.every((put) => done.some((it) => it.begin >= put.end));
}

function verdict(violation: Violation, message: string): Judgement {
  return { violation, message };
}
