import { nodeCommandsAt } from "@cairn/remote";
import { expect, test } from "vitest";
import { RealCluster } from "./testing/real-cluster.ts";

const never = new AbortController().signal;

test("real nodes: what was removed goes from their disks, what is needed stays, and left-overs of a writer go too", async () => {
  await using real = await RealCluster.open();
  const { core } = real.cluster;
  const collection = real.collection();
  const chunks = [await real.write(1), await real.write(2)];
  const kept = await real.write(3);
  const left = await real.write(4);
  const remove = await real.commit("a", chunks);
  await real.commit("b", [kept]);
  await remove();
  await core.leases.close(real.lease.id);
  await core.settings.change({ "collect.grace": 0 });
  await real.pass(10_000);
  const run = await real.settle(collection.runNow(never));
  expect(run).toMatchObject({ condemnedChunks: 2, deletedChunks: 2, orphansDeleted: 2, missingCopies: 0 });
  for (const chunk of [...chunks, left]) expect(await real.copiesOf(chunk)).toBe(0);
  expect(await real.copiesOf(kept)).toBe(2);
  await real.pass(10_000);
  expect(await real.settle(collection.runNow(never))).toMatchObject({ deletedChunks: 0, orphansDeleted: 0 });
});

test("real nodes: one that was away during a delete is told when it is back, and resurrects nothing", async () => {
  await using real = await RealCluster.open();
  const { core } = real.cluster;
  const collection = real.collection();
  const chunk = await real.write(1);
  const remove = await real.commit("a", [chunk]);
  await core.leases.close(real.lease.id);
  await core.settings.change({ "collect.grace": 0 });
  const slots = core.map.group(chunk.group)?.slots ?? [];
  const away = real.nodes.findIndex((node) => node.running?.node === core.map.disk(slots[0]!.disk)?.node);
  await remove();
  await real.stop(away);
  await real.pass(60_000);
  expect(await real.settle(collection.runNow(never))).toMatchObject({ condemnedChunks: 1, deletedChunks: 0 });
  await real.start(away);
  await real.pass(10_000);
  expect(await real.settle(collection.runNow(never))).toMatchObject({ deletedChunks: 1 });
  await real.pass(10_000);
  expect(await real.copiesOf(chunk)).toBe(0);
});

test("real nodes: a disk that lost a record without knowing is found by its digest, and the record queued for repair", async () => {
  await using real = await RealCluster.open();
  const { core, database } = real.cluster;
  const collection = real.collection();
  const chunks = [await real.write(1), await real.write(2), await real.write(3)];
  await real.commit("a", chunks);
  const [slot] = core.map.group(chunks[0]!.group)?.slots ?? [];
  const node = core.map.node(core.map.disk(slot!.disk)!.node)!;
  const { group, id, written } = chunks[1]!;
  const lost = [{ group, id, generation: written.generation }];
  await real.settle(nodeCommandsAt(real.env)(node.url).deleteExact(lost, core.signer.command(node.node)));
  await real.pass(10_000);
  expect(await real.settle(collection.runNow(never))).toMatchObject({ missingCopies: 1, orphansDeleted: 0 });
  const repairs = await database.read((sql) => sql.all("SELECT disk, reason FROM repair"));
  expect(repairs).toEqual([{ disk: slot!.disk, reason: "missing" }]);
});
