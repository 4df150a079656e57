import type { IncomingReply } from "@cairn/env";
import {
  decodeBlocks,
  failed,
  fromUtf8,
  fromWireError,
  isKind,
  type Outcome,
  parseDiskId,
  type Receipt,
  StorageError,
  succeeded,
} from "@cairn/protocol";
import { jsonOfReply } from "./reply-error.ts";

/**
 * Hands a batch over under its first token, which stands for the right to send it. A node that refuses that token as a
 * whole gets the items of each token apart, so that one bad token spoils its own items only.
 */
export async function inBatches<Item extends { readonly token: string }, Value>(
  items: readonly Item[],
  operation: string,
  send: (batch: readonly Item[], token: string) => Promise<readonly Outcome<Value>[]>,
): Promise<readonly Outcome<Value>[]> {
  const [first] = items;
  if (!first) return [];
  try {
    return await send(items, first.token);
  } catch (error) {
    if (!isKind(error, "unauthenticated", "forbidden")) throw error;
    const rest = items.filter(({ token }) => token !== first.token);
    const others = (await inBatches(rest, operation, send)).values();
    return items.map(({ token }) =>
      token === first.token ? failed(error, operation) : (others.next().value as Outcome<Value>),
    );
  }
}

/** `{"outcomes":[…]}` with one item for each that was sent; an item is an error or what `read` makes of it. */
export function outcomesOf<Value>(
  reply: IncomingReply,
  {
    count,
    operation,
    read,
  }: { count: number; operation: string; read: (item: Readonly<Record<string, unknown>>) => Value },
): Outcome<Value>[] {
  const { outcomes } = jsonOfReply<{ outcomes?: unknown }>(reply, operation);
  if (!Array.isArray(outcomes) || outcomes.length !== count) throw senseless(operation);
  return outcomes.map((item: Readonly<Record<string, unknown>> | null): Outcome<Value> => {
    try {
      if (typeof item !== "object" || item === null) throw senseless(operation);
      return item["error"] === undefined
        ? succeeded(read(item))
        : { ok: false, error: fromWireError(item["error"], operation) };
    } catch (error) {
      return failed(error, operation);
    }
  });
}

/** One malformed receipt would make a whole commit invalid, so it counts as a chunk that was not stored. */
export function receiptOf(value: unknown): Receipt {
  const { disk, epoch, mac } = (value ?? {}) as Partial<Record<keyof Receipt, unknown>>;
  const isGood = Number.isSafeInteger(disk) && Number.isSafeInteger(epoch) && typeof mac === "string";
  if (!isGood || (disk as number) < 1) throw senseless("put chunk");
  return { disk: parseDiskId(disk as number), epoch: epoch as number, mac: mac as string };
}

/**
 * The answer of POST /chunks/read, frame by frame: a byte 1 and blocks, or a byte 0, a length of 4 and a WireError as
 * JSON. One bad frame spoils its own chunk only. Throws corrupt when the frames themselves make no sense.
 */
export function decodeChunkFrames(body: Uint8Array, count: number): Outcome<Uint8Array>[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const outcomes: Outcome<Uint8Array>[] = [];
  let offset = 0;
  for (; outcomes.length < count; ) {
    const start = offset + 1;
    if (start + 4 > body.length) throw damaged("frames are missing");
    if (body[offset] === 1) {
      offset = start + blocksFrameBytes(view, start);
      outcomes.push(chunkOutcome(body, start));
    } else {
      offset = start + 4 + view.getUint32(start, true);
      if (body[start - 1] !== 0 || offset > body.length) throw damaged("a frame is cut off");
      outcomes.push({ ok: false, error: errorOfFrame(body.subarray(start + 4, offset)) });
    }
  }
  if (offset !== body.length) throw damaged("bytes are left over");
  return outcomes;
}

/** The node did answer, but not to what was asked. */
export function senseless(operation: string): StorageError {
  return new StorageError("internal", operation, "the node's answer does not fit the request");
}

/** Bytes that changed between the node and here, like bytes that changed on the disk, are had from another copy. */
export function damaged(why: string): StorageError {
  return new StorageError("corrupt", "get chunk", `the answer is damaged: ${why}`);
}

function chunkOutcome(body: Uint8Array, start: number): Outcome<Uint8Array> {
  try {
    const { blocks } = decodeBlocks(body, start, undefined);
    if (blocks.bytes.length !== blocks.chunkLength) throw damaged("it is not the whole chunk");
    return succeeded(blocks.bytes);
  } catch (error) {
    return failed(error, "get chunk");
  }
}

function errorOfFrame(json: Uint8Array): StorageError {
  try {
    return fromWireError(JSON.parse(fromUtf8(json)), "get chunk");
  } catch {
    return damaged("an error cannot be read");
  }
}

/** Bytes of an encoded run of blocks, read from its header so that one bad frame does not lose the rest. */
function blocksFrameBytes(view: DataView, start: number): number {
  if (start + 24 > view.byteLength) throw damaged("a frame is cut off");
  const bytes = 24 + view.getUint32(start + 16, true) * 4 + view.getUint32(start + 20, true);
  if (start + bytes > view.byteLength) throw damaged("a frame is cut off");
  return bytes;
}
