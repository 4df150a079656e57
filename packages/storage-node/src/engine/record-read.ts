import type { DiskFile } from "@cairn/env";
import {
  type ChunkBlocks,
  compareBytes,
  crcBlockBytes,
  type GroupId,
  type Outcome,
  StorageError,
  succeeded,
} from "@cairn/protocol";
import type { Location } from "./chunk-table.ts";
import { type Crc32c, decodeRecordHeader, recordHeaderBytes, tableBytes, tableOf } from "./record-format.ts";

interface RecordRead {
  readonly group: GroupId;
  readonly hash: Uint8Array;
  readonly location: Location;
  readonly range: { readonly offset: number; readonly length: number } | undefined;
  readonly crc32c: Crc32c;
}

/**
 * Reads the blocks of a record that cover a range (absent: all) and checks header, table and each block. A record that
 * is not the one it should be counts as corrupt, like one whose bytes changed.
 */
export async function readRecord(
  file: DiskFile,
  { group, hash, location, range, crc32c }: RecordRead,
): Promise<Outcome<ChunkBlocks>> {
  const { offset, length, generation } = location;
  if (range && (range.offset < 0 || range.length < 0 || range.offset + range.length > length)) {
    return fail("range", `bytes ${range.offset}–${range.offset + range.length} of ${length}`);
  }
  const headBytes = recordHeaderBytes + tableBytes(length);
  const firstBlock = Math.floor((range?.offset ?? 0) / crcBlockBytes);
  const start = firstBlock * crcBlockBytes;
  const end = Math.min(
    length,
    range ? Math.ceil((range.offset + range.length) / crcBlockBytes) * crcBlockBytes : length,
  );

  // Header and payload lie side by side: a read from the start of the chunk takes one call.
  const together = new Uint8Array(firstBlock === 0 ? headBytes + end : headBytes);
  if ((await file.read(together, offset)) !== together.length) return fail("corrupt", "the record is cut off");
  const header = decodeRecordHeader(together, crc32c);
  if (!header) return fail("corrupt", "the record's header is damaged");
  const itself = header.group === group && header.generation === generation && compareBytes(header.hash, hash) === 0;
  if (!itself || header.length !== length) return fail("corrupt", "another record stands here");
  const table = tableOf(together, header, crc32c);
  if (!table) return fail("corrupt", "the record's table of CRCs is damaged");

  let bytes = together.subarray(headBytes);
  if (firstBlock > 0) {
    bytes = new Uint8Array(end - start);
    if ((await file.read(bytes, offset + headBytes + start)) !== bytes.length)
      return fail("corrupt", "the record is cut off");
  }
  const crcs = table.subarray(firstBlock, firstBlock + Math.ceil(bytes.length / crcBlockBytes));
  for (const [block, crc] of crcs.entries()) {
    if (crc32c(bytes.subarray(block * crcBlockBytes, (block + 1) * crcBlockBytes)) !== crc) {
      return fail("corrupt", `block ${firstBlock + block} does not match its CRC`);
    }
  }
  return succeeded({ generation, chunkLength: length, offset: start, crcs, bytes });
}

function fail(kind: "range" | "corrupt", why: string): Outcome<never> {
  return { ok: false, error: new StorageError(kind, "read chunk", why) };
}
