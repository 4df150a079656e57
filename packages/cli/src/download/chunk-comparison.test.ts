import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseChunkId } from "@cairn/protocol";
import { afterEach, beforeEach, expect, test } from "vitest";
import { matchingBytes } from "./chunk-comparison.ts";

const content = Buffer.from("aaaabbbbcc");
const never = new AbortController().signal;
let folder = "";
let path = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cairn-compare-"));
  path = join(folder, "file");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function* chunks() {
  for (let offset = 0; offset < content.length; offset += 4) {
    const bytes = content.subarray(offset, offset + 4);
    yield { id: parseChunkId(createHash("sha256").update(bytes).digest("hex")), offset, length: bytes.length };
  }
}

test.each([
  ["the same content", content, 10],
  ["a beginning that ends within a chunk", content.subarray(0, 6), 4],
  ["a damaged second chunk", Buffer.from("aaaabXbbcc"), 4],
  ["a damaged first chunk", Buffer.from("Xaaabbbbcc"), 0],
  ["nothing", Buffer.alloc(0), 0],
  ["more than there should be", Buffer.from("aaaabbbbccMORE"), 10],
])("of %s as much is proven as is right", async (_what, bytes, matching) => {
  await writeFile(path, bytes);
  expect(await matchingBytes(path, chunks(), never)).toBe(matching);
});

test("a stopped comparison ends", async () => {
  await writeFile(path, content);
  await expect(matchingBytes(path, chunks(), AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
});
