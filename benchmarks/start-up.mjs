// How long a node takes to serve again after kill -9, and what chunks cost in memory: one node and the metadata server, with
// small files of one chunk each.
import { randomFillSync } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pause, withHealingCluster } from "./healing-cluster.mjs";
import { inParallel, median, round, seconds } from "./measure.mjs";

const bodyBytes = 4096;
const startsMeasured = 3;
const filesPerFolder = 10_000;
const shape = { nodes: 1, copies: 1 };

/** Stores so many files in a cluster under `folder`. Files per second. */
export function fillSmall({ folder, chunks }) {
  return withHealingCluster({ folder, ...shape }, async ({ client }) => {
    const elapsed = await seconds(async () => {
      for (let number = 0; number * filesPerFolder < chunks; number++) {
        const path = `/small-${number}`;
        const count = Math.min(filesPerFolder, chunks - number * filesPerFolder);
        await client.createFolder(path, { parents: true });
        await inParallel(count, 64, async (index) => {
          const bytes = randomFillSync(Buffer.alloc(bodyBytes));
          await client.upload({ bytes }, { folder: path, name: `file-${index}` });
        });
      }
    });
    return round(chunks / elapsed, 0);
  });
}

/** Seconds of a start and MiB of memory with the chunks of a folder that was filled, beside those of an empty cluster. */
export async function measureStartUp({ folder, emptyFolder, say }) {
  say("starts of an empty node");
  const empty = await withHealingCluster({ folder: emptyFolder, ...shape }, async (cluster) => ({
    startSeconds: await restart(cluster, "node-1"),
    residentMiB: await residentOf(cluster),
  }));
  return withHealingCluster({ folder, ...shape }, (cluster) => measure(cluster, { empty, say }));
}

async function measure(cluster, { empty, say }) {
  const [{ disks }] = await cluster.client.nodes();
  const chunks = disks.reduce((sum, disk) => sum + disk.chunks, 0);
  say(`starts with ${chunks} chunks: as it was killed, all groups sealed, without any index`);
  const asKilled = await restart(cluster, "node-1");
  const asKilledMiB = await residentOf(cluster);
  const withIndex = await restart(cluster, "node-1", () => sealAll(cluster, "node-1"));
  const withIndexMiB = await residentOf(cluster);
  const rebuilt = await restart(cluster, "node-1", () => removeIndexes(cluster, "node-1"));
  const perMillion = (MiB) => round((MiB / chunks) * 1_000_000, 0);
  return {
    chunks,
    groups: readdirSync(join(cluster.diskOf("node-1"), "g")).length,
    startSeconds: { empty: empty.startSeconds, asKilled, withIndex, rebuilt },
    residentMiB: { empty: empty.residentMiB, asKilled: asKilledMiB, withIndex: withIndexMiB },
    MiBPerMillionChunks: {
      node: perMillion(withIndexMiB.node - empty.residentMiB.node),
      metadata: perMillion(withIndexMiB.metadata - empty.residentMiB.metadata),
    },
  };
}

/** Median seconds from the start of the process until it serves; killed with kill -9 before each. */
async function restart(cluster, name, between = () => undefined) {
  const runs = [];
  for (let run = 0; run < startsMeasured; run++) {
    await cluster.kill(name);
    await between();
    runs.push(await seconds(() => cluster.revive(name)));
  }
  return round(
    median(runs, (value) => value),
    2,
  );
}

/** Memory after fresh starts: what an upload has left behind in a process is not what its chunks cost. */
async function residentOf(cluster) {
  await cluster.kill("metadata");
  await cluster.revive("metadata");
  await cluster.kill("node-1");
  await cluster.revive("node-1");
  await pause(8000);
  return { node: await residentMiB(cluster, "node-1"), metadata: await residentMiB(cluster, "metadata") };
}

async function residentMiB(cluster, name) {
  const status = readFileSync(`/proc/${await cluster.pidOf(name)}/status`, "utf8");
  return round(Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1024, 1);
}

/** Seals what is still open, as the engine does when a group is full. */
async function sealAll(cluster, name) {
  const { NodeDisk, nodeEnv } = await import("../packages/env-node/dist/index.js");
  const { DiskEngine, readDiskIdentity } = await import("../packages/storage-node/dist/index.js");
  const env = nodeEnv({ name: "bench", level: "silent" });
  const disk = new NodeDisk(cluster.diskOf(name));
  const engine = await DiskEngine.open(env, disk, { expected: await readDiskIdentity(disk) });
  for (const { group } of engine.digests()) await engine.seal(group);
  await engine[Symbol.asyncDispose]();
  await env[Symbol.asyncDispose]();
}

function removeIndexes(cluster, name) {
  const groups = join(cluster.diskOf(name), "g");
  for (const group of readdirSync(groups)) {
    const index = join(groups, group, "sealed.idx");
    if (existsSync(index)) rmSync(index);
  }
}
