import type { GroupId } from "@cairn/protocol";
import { expect, test } from "vitest";
import { addCopy, commandsOf, membersOf } from "./testing/copies.ts";
import { TestStorage } from "./testing/test-storage.ts";

test("a preview counts what would go and why, and neither changes a row nor deletes anything", async () => {
  await using storage = await TestStorage.open();
  const { cluster } = storage.metadata;
  const collection = storage.collection();
  const old = await storage.file("old", [1, 4]);
  const young = await storage.file("young", [7]);
  const kept = await storage.file("kept", [10, 13]);
  const left = await storage.write(16);
  await storage.closeLease();
  await storage.metadata.newLease();
  const open = await storage.write(19);
  await storage.remove(old.entry);
  await storage.pass(86_400_001);
  await storage.remove(young.entry);
  const stranger = storage.nodes.find((node) => !membersOf(storage, kept.chunks[0]!).includes(node))!;
  await addCopy(stranger, kept.chunks[0]!, { content: 10 });
  await addCopy(stranger, kept.chunks[0]!, { content: 10, group: 4711 as GroupId });
  await storage.pass(1000);
  const before = cluster.database.writes;
  let preview: Awaited<ReturnType<typeof collection.preview>> | undefined;
  const commands = await commandsOf(storage, async () => {
    preview = await storage.settle(collection.preview());
  });
  expect(cluster.database.writes).toBe(before);
  expect(new Set(commands)).toEqual(new Set(["inventory"]));
  const bytes = old.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  expect(preview?.classes).toEqual([
    { why: "unreferenced", chunks: 2, bytes, explanation: expect.stringContaining("1 more are still in their grace") },
    {
      why: "orphan",
      chunks: 2,
      bytes: 2 * left.length,
      explanation: expect.stringContaining("2 of open leases are kept"),
    },
    {
      why: "extra-copy",
      chunks: 1,
      bytes: kept.chunks[0]!.length,
      explanation: expect.stringContaining("1 copies of groups that this cluster does not know are kept"),
    },
  ]);
  const run = await storage.run(collection);
  expect(run).toMatchObject({ deletedChunks: 2, deletedBytes: bytes, orphansDeleted: 2 });
  expect(await storage.copiesOf(open)).toBe(2);
});
