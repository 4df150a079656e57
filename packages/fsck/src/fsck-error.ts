/** Why nothing could be checked. A finding is never one of these. */
export class FsckError extends Error {
  override readonly name: string = "FsckError";
  /** What to do about it. */
  readonly hint: string | undefined;
  /** True when the same command may succeed in a moment. */
  readonly again: boolean;

  constructor(
    message: string,
    { hint, again = false, cause }: { hint?: string; again?: boolean; cause?: unknown } = {},
  ) {
    super(message, cause === undefined ? {} : { cause });
    this.hint = hint;
    this.again = again;
  }
}
