import { chunkIdFromHash } from "@cairn/protocol";
import type { ScrubbedRecords } from "./copy-findings.ts";
import { cursorOf } from "./group-listing.ts";
import type { TableEntry } from "./sealed-records.ts";

/** How a scrub looks at a record, and what it does with one that is not what it should be. */
export interface RecordLook {
  /** Why it is not what it should be; undefined when it is. Throws what the disk throws. */
  readonly damageOf: (entry: TableEntry) => Promise<string | undefined>;
  readonly setAside: (entry: TableEntry, why: string) => Promise<void>;
}

export interface ScrubLimits {
  readonly bytesMax: number;
  /** Records that cannot be read, before the scrub stops: then it is the disk, and not a place on it. */
  readonly unreadableMax: number;
  readonly signal: AbortSignal;
}

/**
 * Reads records, at least one and no more than these bytes if it can be, and checks them. What is damaged is set aside, and so
 * is what the disk cannot read twice: one bad sector does not end a scrub.
 */
export async function scrubRecords(
  entries: AsyncIterable<TableEntry>,
  { damageOf, setAside }: RecordLook,
  { bytesMax, unreadableMax, signal }: ScrubLimits,
): Promise<ScrubbedRecords> {
  const found = { bytes: 0, records: 0, damaged: 0, unreadable: 0 };
  let last: Parameters<typeof cursorOf>[0][number] | undefined;
  for await (const entry of entries) {
    const { generation, length } = entry.location;
    const over = found.bytes + length > bytesMax || found.unreadable >= unreadableMax;
    if (last && (over || signal.aborted)) return { ...found, cursor: cursorOf([last]) };
    last = { id: chunkIdFromHash(entry.hash), generation };
    found.records++;
    found.bytes += length;
    let why: string | undefined;
    try {
      // A second look: what fails once may have been the way to the disk and not the place on it.
      why = await damageOf(entry).catch(() => damageOf(entry));
    } catch (error) {
      found.unreadable++;
      why = error instanceof Error ? error.message : "the disk could not read it";
    }
    if (why === undefined) continue;
    found.damaged++;
    await setAside(entry, why);
  }
  return { ...found, cursor: undefined };
}
