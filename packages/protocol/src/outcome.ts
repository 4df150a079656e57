import { asStorageError, type StorageError } from "./errors.ts";

/** What became of one item of a batch: each item keeps its own. */
export type Outcome<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly error: StorageError };

export function succeeded<Value>(value: Value): Outcome<Value> {
  return { ok: true, value };
}

/** Anything thrown becomes a StorageError; a StorageError stays as it is. */
export function failed(error: unknown, operation: string): Outcome<never> {
  return { ok: false, error: asStorageError(error, operation) };
}

/** The value, or throws the error. */
export function unwrap<Value>(outcome: Outcome<Value>): Value {
  if (!outcome.ok) throw outcome.error;
  return outcome.value;
}
