import type { GroupId } from "@cairn/protocol";

/** What a check of one record on its disk found. */
export type CopyFinding = "sound" | "missing" | "damaged" | "deleted";

/** What a stretch of a scrub found. */
export interface ScrubbedRecords {
  readonly bytes: number;
  readonly records: number;
  /** Set aside now, the unreadable ones included. */
  readonly damaged: number;
  /** Of those, what the disk itself failed to read. */
  readonly unreadable: number;
  /** Undefined when the group has been read to its end. */
  readonly cursor: string | undefined;
}

/** Which records a scrub reads next. */
export interface ScrubStep {
  readonly group: GroupId;
  /** Of the step before; undefined at the group's beginning. */
  readonly cursor: string | undefined;
  readonly bytesMax: number;
  readonly signal: AbortSignal;
}
