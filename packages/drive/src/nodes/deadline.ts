import type { Clock } from "@cairn/env";
import { StorageError } from "@cairn/protocol";
import { onAbort } from "./on-abort.ts";

export interface DeadlineOptions {
  readonly ms: number;
  readonly operation: string;
  /** Who is to answer. */
  readonly subject: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs `work` with a signal that aborts at the deadline or with the caller's own, and settles at once then, whether
 * `work` listens or not. Throws unavailable at the deadline, cancelled when the caller stops.
 */
export function withDeadline<Result>(
  clock: Clock,
  options: DeadlineOptions,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const { ms, operation, subject, signal } = options;
  return new Promise((resolve, reject) => {
    const controller = new AbortController();
    const end = (settle: () => void): void => {
      timer.cancel();
      unlisten?.();
      settle();
    };
    const stop = (error: StorageError): void =>
      end(() => {
        reject(error);
        controller.abort(error);
      });
    const timer = clock.after(ms, () => {
      stop(
        new StorageError("unavailable", operation, `${subject} gave no answer within ${Math.round(ms)} ms`, {
          details: { timeout: true },
        }),
      );
    });
    const unlisten = signal && onAbort(signal, () => stop(cancelled(operation)));
    if (signal?.aborted) return stop(cancelled(operation));
    work(controller.signal).then(
      (result) => end(() => resolve(result)),
      (error: unknown) => end(() => reject(error)),
    );
  });
}

/** Settles as the promise does, or throws cancelled as soon as the signal aborts. */
export function abortable<Result>(
  promise: Promise<Result>,
  signal: AbortSignal | undefined,
  operation: string,
): Promise<Result> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const cancel = (): void => reject(cancelled(operation));
    const unlisten = onAbort(signal, cancel);
    if (signal.aborted) cancel();
    promise.then(resolve, reject).finally(unlisten);
  });
}

export function cancelled(operation: string): StorageError {
  return new StorageError("cancelled", operation, "the caller asked to stop");
}

/** One for all: making a reason for each of thousands of aborts a second costs more than the aborts. */
const stopped: StorageError = cancelled("transfer");

/** A controller that aborts with the signal as well, until it is unlinked. */
export interface LinkedController {
  readonly signal: AbortSignal;
  abort(): void;
  unlink(): void;
}

export function linkedController(signal: AbortSignal | undefined): LinkedController {
  const controller = new AbortController();
  const abort = (): void => controller.abort(stopped);
  const unlisten = signal && onAbort(signal, abort);
  if (signal?.aborted) abort();
  return { signal: controller.signal, abort, unlink: () => unlisten?.() };
}
