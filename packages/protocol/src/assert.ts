/** A broken invariant: a bug, never an answer to bad input. */
export class AssertionError extends Error {
  override readonly name: string = "AssertionError";
}

/** Throws AssertionError with the sentence that ought to hold. */
export function assert(condition: unknown, sentence: string): asserts condition {
  if (!condition) throw new AssertionError(`Broken invariant: ${sentence}`);
}
