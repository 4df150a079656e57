import type { FileWindow } from "./file-window.ts";
import {
  type Depth,
  endOf,
  faultOf,
  gridBytes,
  type RecordHeader,
  readRecordHeader,
  recordHeaderBytes,
  segmentHeaderBytes,
} from "./layout.ts";

/** What stands in a stretch of a segment. */
export type Stretch =
  | {
      readonly is: "record";
      readonly offset: number;
      readonly header: RecordHeader;
      readonly fault: string | undefined;
    }
  /** Bytes in which no record can be made out. */
  | { readonly is: "gap"; readonly offset: number; readonly end: number }
  /** An append that was cut off, or that is under way. */
  | { readonly is: "unfinished"; readonly offset: number; readonly end: number };

export interface WalkOptions {
  readonly depth: Depth;
  /** From here on an append may have been cut off, if nothing sound follows. Infinity: the segment takes no more. */
  readonly unsyncedFrom: number;
}

/**
 * All records of a segment from its beginning, as docs/formats/segment.md has them. A damaged one costs itself alone: the
 * next is looked for on the 8-byte grid. Behind damage a record counts only if its bytes match its hash, since what looks
 * like one there may be a user's bytes.
 */
export async function* walkSegment(window: FileWindow, options: WalkOptions): AsyncGenerator<Stretch> {
  let offset = segmentHeaderBytes;
  let doubtful = false;
  while (offset < window.end) {
    const found = await recordAt(window, offset, doubtful ? "hashes" : options.depth);
    const believed = found && !(doubtful && found.fault !== undefined);
    if (believed && found.fault === undefined) {
      yield { is: "record", offset, ...found };
      offset += found.header.total;
      continue;
    }
    const next = await nextRecord(window, offset + gridBytes);
    if (next === undefined && offset >= options.unsyncedFrom) {
      yield { is: "unfinished", offset, end: window.end };
      return;
    }
    if (believed && offset + found.header.total <= window.end) {
      // Its header is sound, so that its length can be believed, whatever its payload looks like.
      yield { is: "record", offset, ...found };
      offset += found.header.total;
      continue;
    }
    const end = next ?? window.end;
    if (believed) yield { is: "record", offset, ...found };
    else yield { is: "gap", offset, end };
    offset = end;
    doubtful = true;
  }
}

async function recordAt(
  window: FileWindow,
  offset: number,
  depth: Depth,
): Promise<{ readonly header: RecordHeader; readonly fault: string | undefined } | undefined> {
  const head = await window.bytes(offset, recordHeaderBytes);
  const header = readRecordHeader(head);
  if (!header) return undefined;
  if (offset + header.total > window.end) return { header, fault: "it is cut off" };
  if (depth !== "headers") {
    return { header, fault: faultOf(await window.bytes(offset, header.total), header, depth) };
  }
  const ends = new Uint8Array(recordHeaderBytes + gridBytes);
  ends.set(head);
  const end = endOf(header);
  ends.set(await window.bytes(offset + end.offset, end.length), recordHeaderBytes);
  return { header, fault: faultOf(ends, header, "headers") };
}

async function nextRecord(window: FileWindow, start: number): Promise<number | undefined> {
  for (let offset = start; offset + recordHeaderBytes <= window.end; offset += gridBytes) {
    if (readRecordHeader(await window.bytes(offset, recordHeaderBytes))) return offset;
  }
  return undefined;
}
