/** Times that are kept apart for one segment; the oldest are counted together beyond that, as the younger of them. */
const timesMax = 256;

/** Bytes of records in a segment that are deleted, and of those how many were deleted before some moment. */
export interface DeadSegment {
  readonly segment: number;
  readonly deadBytes: number;
}

/** How many bytes of each segment of a group belong to deleted records, by the second of the delete. */
export class DeadBytes {
  readonly #segments = new Map<number, Map<number, number>>();

  /** `at`: wall clock ms of the delete. */
  note(segment: number, bytes: number, at: number): void {
    const times = this.#segments.get(segment) ?? new Map<number, number>();
    this.#segments.set(segment, times);
    const second = Math.ceil(at / 1000);
    times.set(second, (times.get(second) ?? 0) + bytes);
    if (times.size > timesMax) mergeOldest(times);
  }

  forget(segment: number): void {
    this.#segments.delete(segment);
  }

  /** What was deleted at or before this moment, wall clock ms; a delete counts from the end of its second on. */
  until(at: number): DeadSegment[] {
    const found: DeadSegment[] = [];
    for (const [segment, times] of this.#segments) {
      let deadBytes = 0;
      for (const [second, bytes] of times) if (second * 1000 <= at) deadBytes += bytes;
      if (deadBytes > 0) found.push({ segment, deadBytes });
    }
    return found;
  }
}

function mergeOldest(times: Map<number, number>): void {
  const [oldest = 0, next = 0] = [...times.keys()].sort((a, b) => a - b);
  times.set(next, (times.get(next) ?? 0) + (times.get(oldest) ?? 0));
  times.delete(oldest);
}
