import { fromWireError, type Outcome, StorageError, toWireError } from "@cairn/protocol";

/** Outcomes travel as JSON with their error as a WireError; everything else in the interfaces is JSON already. */
export function outcomesToWire(value: unknown): unknown {
  return Array.isArray(value) && value.some(isOutcome) ? value.map(outcomeToWire) : value;
}

export function outcomesFromWire(value: unknown, operation: string): unknown {
  if (!Array.isArray(value)) return value;
  return value.map((item: unknown): unknown =>
    isOutcome(item) && !item.ok ? { ok: false, error: fromWireError(item.error, operation) } : item,
  );
}

function outcomeToWire(outcome: unknown): unknown {
  if (!isOutcome(outcome) || outcome.ok) return outcome;
  return { ok: false, error: outcome.error instanceof StorageError ? toWireError(outcome.error) : outcome.error };
}

function isOutcome(value: unknown): value is Outcome<unknown> {
  return typeof value === "object" && value !== null && "ok" in value && typeof value.ok === "boolean";
}
