// A process that works on one disk until it is done or dies at the crash point that CAIRN_CRASH_AT names. It says on
// stdout what was acknowledged, at the moment it was: "put GROUP INDEX", "delete GROUP INDEX", "seal GROUP".
import { writeSync } from "node:fs";
import { NodeDisk, nodeEnv } from "@cairn/env-node";
import { DiskEngine, initialiseDisk, readDiskIdentity } from "@cairn/storage-node";
import { chunkOf, identity } from "./engine-chunks.mjs";

const disk = new NodeDisk(process.argv[2]);
await holding(nodeEnv({ name: "engine", level: "silent" }), async (env) => {
  if (!(await readDiskIdentity(disk))) await initialiseDisk(disk, identity);
  const engine = await DiskEngine.open(env, disk, {
    expected: identity,
    options: { segmentBytes: 300_000, checkpointBytes: 100_000 },
  });
  const start = Number(process.argv[3]);
  for (let round = 0; round < 6; round++) {
    await putAll(
      engine,
      1,
      [0, 1, 2, 3].map((index) => start + round * 4 + index),
    );
    await putAll(engine, 2 + start, [start + 100 + round]);
    await remove(engine, 1, start + round * 4);
  }
  await engine.seal(2 + start);
  writeSync(1, `seal ${2 + start}\n`);
  await compactAll(engine, 1);
  await putAll(engine, 90 + start, [start + 190]);
  await engine.dropGroup(90 + start);
  writeSync(1, `delete ${90 + start} ${start + 190}\n`);
  await engine[Symbol.asyncDispose]();
});

async function putAll(engine, group, indices) {
  const puts = indices.map((index) => ({ group, epoch: 1, ...chunkOf(index) }));
  const outcomes = await engine.putMany(puts);
  for (const [at, { ok }] of outcomes.entries()) if (ok) writeSync(1, `put ${group} ${indices[at]}\n`);
}

/** Gives back the bytes of all deletes, those of this second too. */
async function compactAll(engine, group) {
  const { signal } = new AbortController();
  for (const { segment } of await engine.compactable({ trashMs: -1000, urgent: true })) {
    await engine.compact({ group, segment, trashMs: -1000, pace: async () => undefined, signal });
  }
}

async function remove(engine, group, index) {
  const { id, generation } = chunkOf(index);
  const [outcome] = await engine.deleteExact([{ group, id, generation }]);
  if (outcome.ok) writeSync(1, `delete ${group} ${index}\n`);
}

async function holding(resource, work) {
  try {
    await work(resource);
  } finally {
    await resource[Symbol.asyncDispose]();
  }
}
