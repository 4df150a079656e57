import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { CairnClient } from "@cairn/client";
import { FaultCluster } from "../harness/fault-cluster.ts";
import { askFsck } from "../harness/fsck.ts";
import { appendTo, cutTail, flipBits, recordsOf, segmentsOf } from "../harness/segment-files.ts";
import { judgeAll, readEverything } from "../harness/verdict.ts";
import { Workload } from "../harness/workload.ts";
import type { Row } from "../run/row.ts";
import type { RowContext } from "../run/row-context.ts";

const victim = "node-2";

/** A cluster with some data, the load stopped. */
async function withData(context: RowContext, changes = 120): Promise<{ cluster: FaultCluster; workload: Workload }> {
  const cluster = await FaultCluster.start(context);
  const workload = await new Workload(context, cluster, { deletes: 0.03 }).start();
  await workload.more(changes);
  await workload.stop();
  return { cluster, workload };
}

/** The end of the last segment as a crash may leave it. */
async function tornTails(context: RowContext): Promise<void> {
  const { cluster, workload } = await withData(context);
  const node = cluster.node(victim);
  const ways = ["torn record", "zeros", "garbage"] as const;
  for (const way of ways) {
    await workload.start();
    await workload.more(20);
    await workload.stop();
    await node.kill();
    for (const segment of segmentsOf(cluster.diskOf(victim)).slice(-2)) {
      const [record] = recordsOf(segment);
      if (!record) continue;
      const whole = readFileSync(segment).subarray(record.offset, record.offset + record.length);
      const length = context.between(1, whole.length);
      if (way === "torn record") appendTo(segment, whole.subarray(0, length));
      else if (way === "zeros") appendTo(segment, Buffer.alloc(context.between(1, 100_000)));
      else appendTo(segment, Buffer.from(Array.from({ length: 5000 }, () => context.between(0, 256))));
    }
    await node.start();
    await cluster.online();
    const { code, said } = await askFsck(cluster);
    context.expect("expected", code === 0, `fsck after ${way}: ${code} ${said.slice(0, 200)}`);
  }
  await judgeAll(context, cluster, { workload });
}

/** One bit of many payloads of one node, while it runs. */
async function flippedPayloads(context: RowContext): Promise<void> {
  const { cluster, workload } = await withData(context);
  let flipped = 0;
  for (const segment of segmentsOf(cluster.diskOf(victim))) {
    for (const { offset, payload, payloadBytes } of recordsOf(segment)) {
      if (payloadBytes === 0 || context.chance() < 0.5) continue;
      flipBits(segment, offset + payload + context.between(0, payloadBytes), context.between(0, 8));
      flipped++;
    }
  }
  context.note("bits flipped", flipped);
  const client = cluster.client();
  await readEverything(context, client, workload);
  const before = await askFsck(cluster);
  context.expect("O4", before.code === 10, `fsck does not see the damage: ${before.code} ${before.said.slice(0, 200)}`);
  await scrubAll(context, cluster, client);
  await workload.start();
  await workload.more(20);
  await eventsTellOfRepair(context, client);
  await judgeAll(context, cluster, { workload, failuresMax: 0 });
}

/** What was found and what was replaced stands in the events. */
async function eventsTellOfRepair(context: RowContext, client: CairnClient): Promise<void> {
  const found = new Set<unknown>();
  let replaced = 0;
  const spent = await context.becomes(async () => {
    const events = await client.operations.events({ after: -1000, limit: 1000 });
    found.clear();
    replaced = 0;
    for (const { kind, details } of events) {
      if (kind === "copies.damaged") for (const chunk of details["chunks"] as readonly unknown[]) found.add(chunk);
      if (kind === "chunks.repaired") replaced += Number(details["copies"]);
    }
    return found.size > 0 && replaced >= found.size;
  }, 30_000);
  context.note("damaged copies in events", found.size);
  context.note("replaced copies in events", replaced);
  context.expect(
    "expected",
    spent !== undefined,
    `events tell of ${found.size} damaged and ${replaced} replaced copies`,
  );
}

/** Every byte of the header, of some record each, and the tables behind them. */
async function flippedHeaders(context: RowContext): Promise<void> {
  const { cluster, workload } = await withData(context, 200);
  const node = cluster.node(victim);
  await node.stop();
  let at = 0;
  for (const segment of segmentsOf(cluster.diskOf(victim))) {
    for (const { offset, length, payload } of recordsOf(segment)) {
      // One of three: the header byte by byte, the table of checksums, the footer.
      const place = [at % 96, 96 + (at % Math.max(1, payload - 96)), length - 1 - (at % 8)][at % 3] ?? 0;
      if (context.chance() < 0.7) flipBits(segment, offset + place, context.between(0, 8));
      at++;
    }
  }
  context.note("records", at);
  await node.start();
  await cluster.online();
  const client = cluster.client();
  await readEverything(context, client, workload);
  await scrubAll(context, cluster, client);
  await judgeAll(context, cluster, { workload });
}

/** Checkpoints and indexes of one node are damaged or gone: they are made anew from the segments. */
async function damagedIndexes(context: RowContext): Promise<void> {
  const { cluster, workload } = await withData(context);
  const node = cluster.node(victim);
  await node.stop();
  let touched = 0;
  for (const segment of segmentsOf(cluster.diskOf(victim))) {
    for (const name of ["checkpoint", "sealed.idx"]) {
      const file = join(segment, "..", name);
      if (!existsSync(file)) continue;
      if (context.chance() < 0.5) rmSync(file);
      else flipBits(file, context.between(0, readFileSync(file).length), 3);
      touched++;
    }
  }
  context.note("files touched", touched);
  await node.start();
  await cluster.online();
  await judgeAll(context, cluster, { workload });
}

/** All copies of one file are damaged: its reads fail and say so, everything else is as before. */
async function allCopiesBad(context: RowContext): Promise<void> {
  const { cluster, workload } = await withData(context, 40);
  const client = cluster.client();
  const bytes = Buffer.from(Array.from({ length: 50_000 }, () => context.between(0, 256)));
  const { entry } = await client.upload({ bytes }, { name: "beyond-budget" });
  const needle = bytes.subarray(1000, 1064);
  let copies = 0;
  for (const { name } of cluster.nodes) {
    for (const segment of segmentsOf(cluster.diskOf(name))) {
      const at = readFileSync(segment).indexOf(needle);
      if (at < 0) continue;
      flipBits(segment, at, 0);
      copies++;
    }
  }
  context.expect("expected", copies === 2, `${copies} copies were found`);
  const failure = await readWhole(client, entry.id).then(
    (read) => (Buffer.compare(read, bytes) === 0 ? "the right bytes" : "WRONG BYTES"),
    (error) => `${error.kind}`,
  );
  context.expect(
    "expected",
    failure === "lost" || failure === "corrupt" || failure === "unavailable",
    `the read gave ${failure}`,
  );
  context.note("the read fails as", failure);
  const { code, said } = await askFsck(cluster);
  context.expect("O4", code === 10, `fsck ends with ${code}`);
  context.expect(
    "O4",
    said.includes("beyond-budget") || /damag|corrupt|lost/i.test(said),
    `fsck does not name it: ${said.slice(0, 300)}`,
  );
  await judgeAll(context, cluster, { workload, redundant: false, fsck: false });
}

/** Segments of one node are cut short, in the middle of acknowledged records. */
async function cutSegments(context: RowContext): Promise<void> {
  const { cluster, workload } = await withData(context);
  const node = cluster.node(victim);
  await node.kill();
  for (const segment of segmentsOf(cluster.diskOf(victim))) cutTail(segment, context.between(1, 200_000));
  await node.start();
  await cluster.online();
  const client = cluster.client();
  await readEverything(context, client, workload);
  await scrubAll(context, cluster, client);
  await judgeAll(context, cluster, { workload });
}

/** A scrub of all disks, to its end. */
async function scrubAll(context: RowContext, cluster: FaultCluster, client: CairnClient): Promise<void> {
  await client.operations.changeSettings({ "scrub.rate": 2 ** 30 });
  const begin = Date.now();
  await client.operations.startScrub();
  const spent = await context.becomes(async () => {
    const { scrub } = await client.operations.health();
    return scrub.length >= cluster.nodes.length && scrub.every((disk) => (disk.passFinishedAt ?? 0) >= begin - 1000);
  }, 90_000);
  context.note("scrub took ms", spent ?? "too long");
}

async function readWhole(client: CairnClient, address: string): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of (await client.download(address)).bytes) parts.push(Uint8Array.from(part));
  return Buffer.concat(parts);
}

export const damageRows: readonly Row[] = [
  {
    id: "F06 tails",
    tier: 0,
    title: "torn, zeroed and random tails of segments after kill -9",
    expected: "the longest valid prefix is recovered; earlier records are intact; the node starts",
    needs: [],
    run: tornTails,
  },
  {
    id: "F06 cut",
    tier: 0,
    title: "segments of one node are cut short inside acknowledged records",
    expected: "the other copies are read; what is missing is copied back",
    needs: [],
    run: cutSegments,
  },
  {
    id: "F08",
    tier: 0,
    title: "bit flips in half of the payloads of one node, while it runs",
    expected: "reads are right; scrub finds all and they are replaced; events say so",
    needs: [],
    run: flippedPayloads,
  },
  {
    id: "F08 all",
    tier: 0,
    title: "bit flips in all copies of one chunk",
    expected: "its reads fail, fsck names it; never a wrong byte",
    needs: [],
    run: allCopiesBad,
  },
  {
    id: "F09 records",
    tier: 0,
    title: "bit flips in headers, tables and footers of records",
    expected: "found by their checksums; later records are not skipped; copies come back",
    needs: [],
    run: flippedHeaders,
  },
  {
    id: "F09 indexes",
    tier: 0,
    title: "checkpoints and indexes of one node are damaged or deleted",
    expected: "made anew from the segments",
    needs: [],
    run: damagedIndexes,
  },
];
