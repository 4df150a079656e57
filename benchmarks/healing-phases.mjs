// What the cluster does by itself, measured on real processes: repair, scrub, collection with compaction.
import { randomFillSync } from "node:crypto";
import { readdirSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { pause, until } from "./healing-cluster.mjs";
import { MiB, round, seconds } from "./measure.mjs";

export const unlimited = 2 ** 40;

/** Stores `bytes` as files of 16 MiB whose chunks are all different. Ids of the files. */
export async function fill(client, bytes) {
  const fileBytes = 16 * MiB;
  const body = randomFillSync(Buffer.alloc(fileBytes));
  const ids = [];
  await client.createFolder("/fill", { parents: true });
  for (let number = 0; number < bytes / fileBytes; number++) {
    for (let offset = 0; offset < fileBytes; offset += MiB)
      body.writeUInt32LE((number * fileBytes + offset) / MiB, offset);
    ids.push((await client.upload({ bytes: body }, { folder: "/fill", name: `file-${number}` })).entry.id);
  }
  return ids;
}

/** Reads files of this machine one after another and writes them elsewhere, one sync at the end: MiB/s of both ways. */
export async function copyCeiling(files, target) {
  const buffer = Buffer.alloc(4 * MiB);
  const out = await open(target, "w");
  let copied = 0;
  try {
    const elapsed = await seconds(async () => {
      copied = await readAll(files, buffer, (piece, offset) => out.write(piece, 0, piece.length, offset));
      await out.datasync();
    });
    return round(copied / MiB / elapsed, 1);
  } finally {
    await out.close();
    rmSync(target);
  }
}

/** Plain sequential reading of the same files, MiB/s. */
export async function readCeiling(files) {
  const buffer = Buffer.alloc(MiB);
  let read = 0;
  const elapsed = await seconds(async () => {
    read = await readAll(files, buffer, () => undefined);
  });
  return round(read / MiB / elapsed, 1);
}

async function readAll(files, buffer, use) {
  let total = 0;
  for (const path of files) {
    const file = await open(path, "r");
    try {
      for (let offset = 0; ; ) {
        const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
        if (bytesRead === 0) break;
        await use(buffer.subarray(0, bytesRead), total);
        offset += bytesRead;
        total += bytesRead;
      }
    } finally {
      await file.close();
    }
  }
  return total;
}

/** The segments of one disk. */
export function segmentsOf(disk) {
  const groups = join(disk, "g");
  return readdirSync(groups)
    .flatMap((group) => readdirSync(join(groups, group)).map((name) => join(groups, group, name)))
    .filter((path) => path.endsWith(".seg") && statSync(path).isFile());
}

/** Kills a node for good and waits until all copies are there again. Seconds of each stretch, and MiB/s of the copying; `mark` is told when another stretch begins. */
export async function killAndRepair(cluster, name, mark = () => undefined) {
  const before = await fetchedByOthers(cluster, name);
  const killedAt = performance.now();
  mark("node gone");
  await cluster.kill(name);
  let firstCopyAt;
  let missing = false;
  await until("all copies are there again", async () => {
    const { safe, repair } = await cluster.operations.health();
    missing ||= safe !== "yes";
    if (repair.groupsMoving > 0 && firstCopyAt === undefined) {
      firstCopyAt = performance.now();
      mark("copying");
    }
    return missing && safe === "yes" && repair.groupsMoving + repair.groupsWaiting === 0;
  });
  const endedAt = performance.now();
  const bytes = (await cluster.counter("cairn_copy_fetched_bytes_total")) - before;
  const copyingSeconds = (endedAt - (firstCopyAt ?? killedAt)) / 1000;
  return {
    toFullRedundancySeconds: round((endedAt - killedAt) / 1000, 1),
    noticedAfterSeconds: round(((firstCopyAt ?? killedAt) - killedAt) / 1000, 1),
    copyingSeconds: round(copyingSeconds, 1),
    bytes,
    MiBps: round(bytes / MiB / copyingSeconds, 1),
  };
}

/** The counters of the node that is about to die are gone with it. */
async function fetchedByOthers(cluster, name) {
  const all = await cluster.client.nodes();
  const node = all.find((it) => it.node === name);
  const text = await (await fetch(`${node.url}/metrics`)).text();
  const own = Number(/^cairn_copy_fetched_bytes_total\{[^}]*\} (\S+)$/m.exec(text)?.[1] ?? 0);
  return (await cluster.counter("cairn_copy_fetched_bytes_total")) - own;
}

/** One pass over all disks. MiB/s of all of them together. */
export async function scrubPass(cluster) {
  const before = await cluster.counter("cairn_scrub_bytes_total");
  const { id } = await cluster.operations.startScrub();
  const elapsed = await seconds(() =>
    until("the scrub has ended", async () => (await cluster.operations.job(id)).state !== "running"),
  );
  const bytes = (await cluster.counter("cairn_scrub_bytes_total")) - before;
  return { seconds: round(elapsed, 1), bytes, MiBps: round(bytes / MiB / elapsed, 1) };
}

/** Deletes files for good, collects their chunks and waits until the disks have given the bytes back. */
export async function collectAndCompact(cluster, ids) {
  await cluster.operations.changeSettings({ "collect.grace": 0, "collect.trash": 0, "collect.every": 1000 });
  const before = await freedBytes(cluster);
  for (const id of ids) await cluster.client.delete(id, { permanent: true });
  // Nothing is condemned before the nodes have these settings.
  await pause(4000);
  const { id } = await cluster.operations.startCollection();
  const elapsed = await seconds(async () => {
    await until("the collection has ended", async () => (await cluster.operations.job(id)).state !== "running");
    await settled(() => freedBytes(cluster));
  });
  const { state, message } = await cluster.operations.job(id);
  const bytes = (await freedBytes(cluster)) - before;
  return { seconds: round(elapsed, 1), bytes, job: state === "done" ? state : `${state}: ${message}` };
}

async function freedBytes(cluster) {
  const names = ["cairn_compaction_freed_bytes_total", "cairn_trash_freed_bytes_total"];
  const sums = await Promise.all(names.map((name) => cluster.counter(name)));
  return sums.reduce((sum, each) => sum + each, 0);
}

/** Ends when a figure has not changed for some seconds, after it has changed at least once or a minute has gone by. */
async function settled(read, { quietMs = 8000, firstMs = 70_000 } = {}) {
  const first = await read();
  const startedAt = performance.now();
  for (let last = first, changedAt = startedAt; ; await pause(500)) {
    const now = await read();
    if (now !== last) changedAt = performance.now();
    last = now;
    const wait = now === first ? firstMs : quietMs;
    if (performance.now() - changedAt > wait) return;
  }
}
