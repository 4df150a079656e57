import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesOf, streamOf } from "../testing/test-drive.ts";
import { cutBytes, cutChunks } from "./chunker.ts";

async function chunksOf(pieces: readonly Uint8Array[], size: number): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of cutChunks(streamOf(...pieces), size)) chunks.push(chunk);
  return chunks;
}

test.each([
  [0, []],
  [1, [1]],
  [99, [99]],
  [100, [100]],
  [101, [100, 1]],
  [317, [100, 100, 100, 17]],
])("a stream of %i bytes becomes chunks of %j", async (length, expected) => {
  const chunks = await chunksOf([bytesOf(length)], 100);
  expect(chunks.map((chunk) => chunk.length)).toEqual(expected);
  expect(Buffer.concat(chunks)).toEqual(Buffer.from(bytesOf(length)));
  expect([...cutBytes(bytesOf(length), 100)].map((chunk) => chunk.length)).toEqual(expected);
});

test("however a stream is split, its chunks are the same", async () => {
  const whole = bytesOf(1000);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 1000 }), { maxLength: 20 }),
      fc.integer({ min: 1, max: 400 }),
      async (cuts, size) => {
        const marks = [0, ...[...cuts].sort((a, b) => a - b), whole.length];
        const pieces = marks.slice(1).map((mark, index) => whole.subarray(marks[index], mark));
        expect(await chunksOf(pieces, size)).toEqual(await chunksOf([whole], size));
      },
    ),
    { numRuns: 300 },
  );
});

test("a chunk that lies within one buffer is a view of it, and only one that straddles two is a copy", async () => {
  const buffer = bytesOf(250);
  const chunks = await chunksOf([buffer.subarray(0, 150), buffer.subarray(150)], 100);
  expect(chunks.map((chunk) => chunk.buffer === buffer.buffer)).toEqual([true, false, true]);
});
