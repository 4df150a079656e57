import { nodeEnv } from "@cairn/env-node";
import { VirtualClock } from "@cairn/simulator";
import { beforeEach, expect, test } from "vitest";
import { Admission } from "./admission.ts";

const { metrics } = nodeEnv({ name: "test", level: "silent" });
let clock: VirtualClock;
let admission: Admission;

beforeEach(() => {
  clock = new VirtualClock();
  admission = new Admission({ clock, metrics }, { upload: 2 });
});

test("as many as there is room for come in at once, the next when one leaves", async () => {
  const leave = await admission.enter("upload");
  await admission.enter("upload");
  let inside = false;
  const third = admission.enter("upload").then((out) => {
    inside = true;
    return out;
  });
  await clock.advance(500);
  expect(inside).toBe(false);
  leave();
  leave();
  await third;
  // Leaving twice gave no room to a fourth.
  const fourth = admission.enter("upload");
  fourth.catch(() => undefined);
  await clock.advance(1001);
  await expect(fourth).rejects.toMatchObject({ kind: "overloaded" });
});

test("nobody waits longer than a second, and no more than twice the room wait", async () => {
  await admission.enter("upload");
  await admission.enter("upload");
  const waiting = [1, 2, 3, 4].map(() => admission.enter("upload"));
  for (const one of waiting) one.catch(() => undefined);
  await expect(admission.enter("upload")).rejects.toMatchObject({ kind: "overloaded" });
  await clock.advance(999);
  const late = Promise.allSettled(waiting);
  await clock.advance(2);
  expect((await late).map(({ status }) => status)).toEqual(Array(4).fill("rejected"));
});

test("under pressure the latest comer goes first: its client is the least likely to have given up", async () => {
  const leave = await admission.enter("upload");
  await admission.enter("upload");
  const order: string[] = [];
  const first = admission.enter("upload").then(() => order.push("first"));
  const second = admission.enter("upload").then((out) => {
    order.push("second");
    out();
  });
  leave();
  await Promise.all([first, second]);
  expect(order).toEqual(["second", "first"]);
});

test("kinds of requests do not take each other's room, and looks at the process need none", async () => {
  await admission.enter("upload");
  await admission.enter("upload");
  await admission.enter("download");
  for (let look = 0; look < 1000; look++) await admission.enter("free");
});
