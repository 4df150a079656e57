import { PassThrough } from "node:stream";
import { limits } from "@cairn/protocol";
import { VirtualClock } from "@cairn/simulator";
import { expect, test } from "vitest";
import { pacedBody } from "./body-pace.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("a body that comes fast enough comes whole", async () => {
  const clock = new VirtualClock();
  const body = new PassThrough();
  const read = (async () => {
    let length = 0;
    for await (const piece of pacedBody(body, clock)) length += piece.length;
    return length;
  })();
  for (let second = 0; second < 100; second++) {
    body.write(Buffer.alloc(1100));
    await turn();
    await clock.advance(1000);
  }
  body.end();
  expect(await read).toBe(110_000);
});

test.each([
  ["stops", 0],
  ["drips a byte now and then", 1],
  ["comes at half the least rate", 512],
])("a body that %s is cut off after the time it may stall", async (_what, bytes) => {
  const clock = new VirtualClock();
  const body = new PassThrough();
  let failure: unknown;
  const read = (async () => {
    for await (const _ of pacedBody(body, clock));
  })().catch((error: unknown) => {
    failure = error;
  });
  let seconds = 0;
  for (; seconds < 100 && !failure; seconds++) {
    if (bytes > 0) body.write(Buffer.alloc(bytes));
    await turn();
    await clock.advance(1000);
    await turn();
  }
  await read;
  expect(failure).toMatchObject({ kind: "invalid", code: "request_timeout" });
  expect(seconds).toBeLessThanOrEqual(limits.bodyStallMs / 1000 + 1);
});

test("a cluster that takes the bytes slowly does not make the client slow", async () => {
  const clock = new VirtualClock();
  const body = new PassThrough();
  body.end(Buffer.alloc(10));
  let length = 0;
  for await (const piece of pacedBody(body, clock)) {
    await clock.advance(10 * limits.bodyStallMs);
    length += piece.length;
  }
  expect(length).toBe(10);
});

test("left early, the body is not destroyed: the answer goes over the same connection", async () => {
  const body = new PassThrough();
  body.write("a");
  for await (const _ of pacedBody(body, new VirtualClock())) break;
  expect(body.destroyed).toBe(false);
});
