import { createHash, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { BodyPool } from "./body-pool.ts";
import { NodeNetwork } from "./network.ts";

test("a buffer that was given back is used again for a body that fits, and none is handed out twice", () => {
  const pool = new BodyPool();
  const first = pool.take(1_000_000);
  expect(pool.take(1_000_000)).not.toBe(first);
  pool.give(first);
  expect(pool.take(10_000)).not.toBe(first);
  expect(pool.take(900_000)).toBe(first);
  expect(pool.take(900_000)).not.toBe(first);
});

test("the pool keeps no more than its limit", () => {
  const pool = new BodyPool();
  const buffers = Array.from({ length: 40 }, () => pool.take(1_048_576));
  for (const buffer of buffers) pool.give(buffer);
  const again = Array.from({ length: 40 }, () => pool.take(1_048_576));
  expect(again.filter((buffer) => buffers.includes(buffer)).length).toBe(32);
});

test("bodies of requests under way at once never share a buffer", async () => {
  await using network = new NodeNetwork();
  const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
  await using listener = await network.serve(
    async (request) => {
      const body = await request.body(2_000_000);
      const before = digest(body);
      // Others send, end, and give their buffers back meanwhile.
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
      return { status: digest(body) === before ? 200 : 500, body: [Buffer.from(before)] };
    },
    { host: "127.0.0.1", port: 0, requestsMax: 100 },
  );
  const url = `http://127.0.0.1:${listener.port}/`;
  const lanes = Array.from({ length: 16 }, async () => {
    for (let round = 0; round < 12; round++) {
      const body = randomBytes(70_000 + Math.floor(Math.random() * 1_000_000));
      const reply = await network.request({ method: "PUT", url, body: [body], timeoutMs: 10_000, replyBytesMax: 100 });
      expect([reply.status, Buffer.from(reply.body).toString()]).toEqual([200, digest(body)]);
    }
  });
  await Promise.all(lanes);
});
