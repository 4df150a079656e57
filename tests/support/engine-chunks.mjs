// The chunks of the engine program, the same in the process that writes them and in the test that looks for them.
import { createHash } from "node:crypto";

export const identity = { cluster: "ab".repeat(16), node: "node-1", disk: 1, uuid: "cd".repeat(16) };

/** Chunk number `index`: 1,000 to 70,000 bytes. */
export function chunkOf(index) {
  const bytes = Buffer.alloc(1000 + (index % 4) * 23_000, createHash("sha256").update(`chunk ${index}`).digest());
  return { id: createHash("sha256").update(bytes).digest("hex"), generation: 2 ** 24 + index + 1, bytes };
}
