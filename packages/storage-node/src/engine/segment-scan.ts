import type { DiskFile } from "@cairn/env";
import { StorageError } from "@cairn/protocol";
import {
  type Crc32c,
  decodeRecordHeader,
  footerMatches,
  payloadIsSound,
  type RecordHeader,
  recordAlignment,
  recordBytes,
  recordFooterBytes,
  recordHeaderBytes,
} from "./record-format.ts";
import { segmentHeaderBytes } from "./segment-format.ts";

/** Large enough for many small records, small enough that a scan of large ones reads little more than their ends. */
const windowBytes = 64 * 1024;

export interface ScannedRecord {
  readonly header: RecordHeader;
  readonly offset: number;
  /**
   * It was found by searching behind damage. What looks like a record there may be a part of a damaged one's payload,
   * which a user chose: its bytes must be checked against its hash before it is believed.
   */
  readonly afterDamage: boolean;
}

/** A stretch of a segment in which no whole record stands. */
export interface DamagedStretch {
  readonly offset: number;
  readonly end: number;
}

export interface SegmentScan {
  readonly records: readonly ScannedRecord[];
  readonly damage: readonly DamagedStretch[];
  /** Where the next record would stand. */
  readonly end: number;
  /** From here to the end of the file there is nothing but an append that was cut off; undefined if there is none. */
  readonly tornFrom: number | undefined;
}

export interface ScanOptions {
  /** Bytes of the file that belong to the segment; the file is at least as long. */
  readonly end: number;
  /** Up to here everything was synced once: whatever is wrong before is damage and never a torn append. */
  readonly durable: number;
}

/**
 * Reads all record headers of a segment, and the payloads too where nobody has yet noted that they were synced.
 * After something that is no record it looks for the next header on the 8-byte grid: a damaged record costs itself alone.
 */
export async function scanSegment(file: DiskFile, options: ScanOptions, crc32c: Crc32c): Promise<SegmentScan> {
  const reader = new WindowReader(file, options.end);
  const records: ScannedRecord[] = [];
  const damage: DamagedStretch[] = [];
  let offset = segmentHeaderBytes;
  while (offset < options.end) {
    const afterDamage = damage.length > 0;
    const header = await recordAt(reader, offset, { checkPayload: afterDamage || offset >= options.durable, crc32c });
    if (header) {
      records.push({ header, offset, afterDamage });
      offset += recordBytes(header.length);
      continue;
    }
    const next = await nextHeader(reader, offset + recordAlignment, crc32c);
    if (next === undefined) {
      if (offset >= options.durable) return { records, damage, end: offset, tornFrom: offset };
      damage.push({ offset, end: options.end });
      return { records, damage, end: options.end, tornFrom: undefined };
    }
    damage.push({ offset, end: next });
    offset = next;
  }
  return { records, damage, end: offset, tornFrom: undefined };
}

async function recordAt(
  reader: WindowReader,
  offset: number,
  { checkPayload, crc32c }: { checkPayload: boolean; crc32c: Crc32c },
): Promise<RecordHeader | undefined> {
  const header = decodeRecordHeader(await reader.read(offset, recordHeaderBytes), crc32c);
  if (!header) return undefined;
  const total = recordBytes(header.length);
  if (offset + total > reader.end) return undefined;
  if (checkPayload) {
    const record = await reader.read(offset, total);
    return footerMatches(record, header) && payloadIsSound(record, header, crc32c) ? header : undefined;
  }
  const footer = await reader.read(offset + total - recordFooterBytes, recordFooterBytes);
  return footerMatches(footer, header) ? header : undefined;
}

/** The next place from `start` on where a sound header stands. */
async function nextHeader(reader: WindowReader, start: number, crc32c: Crc32c): Promise<number | undefined> {
  for (let offset = start; offset + recordHeaderBytes <= reader.end; offset += recordAlignment) {
    const bytes = await reader.read(offset, recordHeaderBytes);
    // The magic first: a CRC at each of the places would make the search slow.
    if (bytes[0] !== 0x43 || bytes[1] !== 0x52 || bytes[2] !== 0x4e || bytes[3] !== 0x31) continue;
    if (decodeRecordHeader(bytes, crc32c)) return offset;
  }
  return undefined;
}

/** Reads a file forwards through one window, so that many small records cost few reads. */
class WindowReader {
  readonly end: number;
  readonly #file: DiskFile;
  #window: Uint8Array = new Uint8Array(0);
  #start = 0;

  constructor(file: DiskFile, end: number) {
    this.#file = file;
    this.end = end;
  }

  /** The bytes from `offset` on, fewer at the end. Valid until the next call. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const wanted = Math.min(length, this.end - offset);
    if (offset < this.#start || offset + wanted > this.#start + this.#window.length) {
      const buffer = new Uint8Array(Math.min(Math.max(windowBytes, wanted), this.end - offset));
      // A read that stops early is a failure of the disk. Taken for the end of the file it would cut records off.
      if ((await this.#file.read(buffer, offset)) !== buffer.length) {
        throw new StorageError("unavailable", "scan segment", `the read at ${offset} stopped early`, {
          hint: "The disk did not give bytes that it has. Check it, then restart the node.",
        });
      }
      this.#window = buffer;
      this.#start = offset;
    }
    return this.#window.subarray(offset - this.#start, offset - this.#start + wanted);
  }
}
