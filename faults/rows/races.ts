import type { CairnClient } from "@cairn/client";
import { FaultCluster } from "../harness/fault-cluster.ts";
import { RegisterClients } from "../harness/register-clients.ts";
import { judgeAll } from "../harness/verdict.ts";
import { Workload } from "../harness/workload.ts";
import type { Row } from "../run/row.ts";
import type { RowContext } from "../run/row-context.ts";

/** 16 clients create, compare and set, read and delete a few keys; the metadata server dies now and then. */
async function conditionalRace(context: RowContext, kills: number): Promise<void> {
  const cluster = await FaultCluster.start(context);
  const clients = new RegisterClients(context, cluster, { clients: 16, keys: 6, bytes: 2000 });
  const running = clients.run(["create", "cas", "cas", "get", "delete"], { operations: 900 });
  for (let turn = 0; turn < kills; turn++) {
    await context.pause(context.between(500, 2500));
    await cluster.metadata.kill();
    await cluster.metadata.start();
  }
  await running;
  context.note("kills", kills);
  clients.judge();
}

/** 8 writers and 8 readers of one key with bodies of 1 MiB. */
async function overwriteRace(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context);
  const clients = new RegisterClients(context, cluster, { clients: 16, keys: 1, bytes: 1024 * 1024 });
  const writers = clients.run(["put", "put", "put", "delete"], { operations: 120, from: 0, to: 8 });
  const readers = clients.run(["get"], { operations: 150, from: 8, to: 16 });
  await Promise.all([writers, readers]);
  clients.judge();
  await oldBytesToTheEnd(context, cluster.client());
}

/** A download that was begun before an overwrite ends with the bytes it began with. */
async function oldBytesToTheEnd(context: RowContext, client: CairnClient): Promise<void> {
  const [before, after] = [Buffer.alloc(12 * 1024 * 1024, 1), Buffer.alloc(12 * 1024 * 1024, 2)];
  await client.upload({ bytes: before }, { name: "while-read" });
  const download = await client.download("/while-read");
  let length = 0;
  let foreign = 0;
  for await (const part of download.bytes) {
    if (length === 0) await client.upload({ bytes: after }, { name: "while-read", onConflict: "version" });
    foreign += part.filter((byte) => byte !== 1).length;
    length += part.length;
  }
  context.expect(
    "expected",
    length === before.length && foreign === 0,
    `${length} bytes, ${foreign} of them of the new version`,
  );
}

/** Answers of changes get lost, and requests come twice; each has one effect. */
async function twice(context: RowContext, kind: "drop-response" | "duplicate-request"): Promise<void> {
  const cluster = await FaultCluster.start(context, { proxied: true });
  const proxy = cluster.proxy("metadata");
  const client = cluster.client();
  await client.createFolder("/twice", { parents: true });
  const matching = /^(POST|PUT|PATCH|DELETE) \/api\/v1\/(?!.*(heartbeat|renew))/;
  let injected = 0;
  for (let turn = 0; turn < 12; turn++) {
    const bytes = Buffer.from(`${context.seed} ${turn} `.repeat(200 + turn));
    const once = async (work: () => Promise<unknown>): Promise<void> => {
      proxy.mode = { kind, matching, times: 1 };
      await work();
      injected += proxy.injected;
      proxy.mode = { kind: "pass" };
    };
    await once(() => client.upload({ bytes }, { folder: "/twice", name: `f${turn}` }));
    await once(() => client.createFolder(`/twice/d${turn}`));
    await once(() => client.rename(`/twice/f${turn}`, `g${turn}`));
    await once(() =>
      client.upload(
        { bytes: Buffer.concat([bytes, bytes]) },
        { folder: "/twice", name: `g${turn}`, onConflict: "version" },
      ),
    );
    const versions = (await client.listVersions(`/twice/g${turn}`)).items.length;
    context.expect("expected", versions === 2, `g${turn} has ${versions} versions after two uploads`);
    await once(() => client.move(`/twice/g${turn}`, `/twice/d${turn}`));
    if (turn % 3 === 0) await once(() => client.delete(`/twice/d${turn}/g${turn}`));
  }
  context.note("faults injected", injected);
  context.expect("expected", injected > 40, `only ${injected} requests were hit`);
  const names = (await client.list("/twice", { pageSize: 1000 })).items.map(({ name }) => name).sort();
  const wanted = Array.from({ length: 12 }, (_, turn) => `d${turn}`).sort();
  context.expect("O3", names.join() === wanted.join(), `listed: ${names.join()}`);
  const status = await client.status();
  context.expect(
    "expected",
    status.files === 12 && status.trashed === 4,
    `${status.files} files, ${status.trashed} in the trash`,
  );
  await withLoad(context, cluster, kind);
}

async function withLoad(
  context: RowContext,
  cluster: FaultCluster,
  kind: "drop-response" | "duplicate-request",
): Promise<void> {
  const workload = await new Workload(context, cluster).start();
  for (let turn = 0; turn < 10; turn++) {
    const names = ["metadata", "node-1", "node-2", "node-3"];
    // One part at a time: with two of three nodes failing there is no place for two copies.
    for (const proxy of cluster.proxies.values()) proxy.mode = { kind: "pass" };
    cluster.proxy(names[context.between(0, 4)] ?? "metadata").mode = {
      kind,
      matching: /^(POST|PUT|PATCH|DELETE)/,
      times: 3,
    };
    await workload.more(10);
  }
  for (const proxy of cluster.proxies.values()) proxy.mode = { kind: "pass" };
  await judgeAll(context, cluster, { workload, failuresMax: 0 });
}

/** Uploads of content that is being collected at the same moment. */
async function collectionRace(context: RowContext): Promise<void> {
  const settings = { "collect.grace": "0", "collect.trash": "0", "collect.every": "1s", "collect.orphans-every": "1s" };
  const cluster = await FaultCluster.start(context, { settings });
  const contents = Array.from({ length: 4 }, (_, index) => Buffer.alloc(40_000 + index, `${context.seed} ${index}`));
  const client = cluster.client();
  const until = performance.now() + 45_000;
  let uploads = 0;
  let bad = 0;
  const work = async (number: number): Promise<void> => {
    let own = cluster.client();
    for (let turn = 0; performance.now() < until && !context.signal.aborted; turn++) {
      // What was written under a lease is deleted only when that is closed, and it closes with its client.
      if (turn % 4 === 3) {
        await own[Symbol.asyncDispose]();
        own = cluster.client();
      }
      const bytes = contents[context.between(0, contents.length)] ?? Buffer.alloc(0);
      const name = `same-${number}`;
      await own.upload({ bytes }, { name, onConflict: "version" });
      uploads++;
      if (turn % 2 === 1) await context.pause(context.between(0, 1500));
      const parts: Uint8Array[] = [];
      for await (const part of (await own.download(`/${name}`)).bytes) parts.push(Uint8Array.from(part));
      if (Buffer.compare(Buffer.concat(parts), bytes) !== 0) bad++;
      await own.delete(`/${name}`, { permanent: true });
      if (turn % 3 === 0) await context.pause(context.between(0, 2500));
    }
  };
  const works = Array.from({ length: 5 }, (_, number) => work(number));
  for (let kill = 0; kill < 3; kill++) {
    await context.pause(context.between(5000, 9000));
    const part = cluster.parts[context.between(1, cluster.parts.length)];
    await part?.kill();
    await part?.start();
    await cluster.online();
  }
  await Promise.all(works);
  context.note("uploads", uploads);
  context.expect("O1", bad === 0, `${bad} reads gave other bytes`);
  const deleted = (await client.operations.health()).collection.deletedChunks;
  context.note("chunks deleted", deleted);
  context.expect("expected", deleted > 20, `only ${deleted} chunks were deleted; nothing was raced`);
  const workload = await new Workload(context, cluster).start();
  await workload.more(20);
  await judgeAll(context, cluster, { workload });
}

export const raceRows: readonly Row[] = [
  {
    id: "F10",
    tier: 0,
    title: "collection races uploads of the same content, with kills",
    expected: "no upload refers to a chunk that went away",
    needs: [],
    run: collectionRace,
  },
  {
    id: "F12",
    tier: 0,
    title: "16 clients create and compare-and-set the same keys while the metadata server is killed",
    expected: "one winner each time; linearizable",
    needs: [],
    quick: true,
    run: (context) => conditionalRace(context, 3),
  },
  {
    id: "F13",
    tier: 0,
    title: "8 writers and 8 readers of one key, 1 MiB each",
    expected: "whole versions only; linearizable; a download ends with the bytes it began with",
    needs: [],
    run: overwriteRace,
  },
  {
    id: "F14 lost",
    tier: 0,
    title: "answers are lost after the commit, clients ask again (proxy)",
    expected: "one effect each",
    needs: [],
    run: (context) => twice(context, "drop-response"),
  },
  {
    id: "F14 twice",
    tier: 0,
    title: "requests come twice (proxy)",
    expected: "one effect each",
    needs: [],
    run: (context) => twice(context, "duplicate-request"),
  },
];
