import type { CommandClaims, NodeId } from "@cairn/protocol";
import { FaultyDisk, MemoryDisk } from "@cairn/simulator";
import { expect, test } from "vitest";
import { CommandFence } from "./command-fence.ts";
import { kindOf } from "./testing/node-fixture.ts";

const leader = (incarnation: number, leaderEpoch: number): CommandClaims => ({
  kind: "command",
  node: "node-1" as NodeId,
  incarnation,
  leaderEpoch,
  expiresAt: 0,
});

test("a leader passes until a higher one was seen, and an incarnation outweighs any epoch", async () => {
  const fence = new CommandFence(new MemoryDisk());
  await fence.load();
  const passes = (incarnation: number, epoch: number): Promise<string> =>
    kindOf(fence.pass(leader(incarnation, epoch)));
  expect(await passes(1, 5)).toBe("no error");
  expect(await passes(1, 5)).toBe("no error");
  expect(await passes(1, 4)).toBe("stale");
  expect(await passes(1, 6)).toBe("no error");
  expect(await passes(1, 5)).toBe("stale");
  expect(await passes(2, 1)).toBe("no error");
  expect(await passes(1, 99)).toBe("stale");
  expect(await passes(2, 0)).toBe("stale");
});

test("what was seen is on the disk before a command passes, and outlives the process", async () => {
  const disk = new MemoryDisk();
  const fence = new CommandFence(disk);
  await fence.load();
  await Promise.all([1, 2, 3, 4, 5].map((epoch) => kindOf(fence.pass(leader(1, epoch)))));
  const later = new CommandFence(new MemoryDisk({ image: disk.image() }));
  await later.load();
  expect(await kindOf(later.pass(leader(1, 4)))).toBe("stale");
  expect(await kindOf(later.pass(leader(1, 5)))).toBe("no error");
});

test("a leader that could not be noted does not pass, nor does an older one; the next try notes it", async () => {
  const memory = new MemoryDisk();
  const disk = new FaultyDisk(memory);
  const fence = new CommandFence(disk);
  await fence.load();
  await fence.pass(leader(1, 1));
  disk.plan = ({ operation }) => (operation === "sync" ? { fault: "io-error" } : undefined);
  expect(await kindOf(fence.pass(leader(1, 2)))).toBe("internal");
  expect(await kindOf(fence.pass(leader(1, 1)))).toBe("stale");
  expect(disk.hits).toBe(1);
  disk.plan = () => undefined;
  expect(await kindOf(fence.pass(leader(1, 2)))).toBe("no error");
  const later = new CommandFence(memory);
  await later.load();
  expect(await kindOf(later.pass(leader(1, 1)))).toBe("stale");
});

test("a file that cannot be understood stops the node instead of opening the fence", async () => {
  for (const content of [
    "",
    "{",
    "null",
    "{}",
    '{"incarnation":1}',
    '{"incarnation":"9","epoch":1}',
    '{"incarnation":-1,"epoch":1}',
  ]) {
    const disk = new MemoryDisk();
    const file = await disk.open("fence.json", "create");
    await file.write([new TextEncoder().encode(content)], 0);
    expect([content, await kindOf(new CommandFence(disk).load())]).toEqual([content, "corrupt"]);
  }
});
