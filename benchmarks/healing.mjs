// npm run bench -- healing [--data DIR] [--full] [--filled DIR] [--only PART]: what repair, scrub, collection and starts cost, beside what
// the machine can do in the same run. Result in benchmarks/results/healing.json, tables in docs/performance.md.
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { prepare } from "../scripts/prepare.mjs";

prepare();
const { values: options } = parseArgs({
  args: process.argv.slice(2).filter((word) => word !== "healing"),
  options: {
    data: { type: "string", default: tmpdir() },
    full: { type: "boolean", default: false },
    // A folder with the small files of an earlier run, which is made if it is not there, and kept: a million take minutes.
    filled: { type: "string" },
    // "work" or "start-up": one half only, and nothing is stored.
    only: { type: "string" },
  },
});
const { sha256 } = await import("./ceilings.mjs");
const { Foreground } = await import("./foreground.mjs");
const { pause, withHealingCluster } = await import("./healing-cluster.mjs");
const phases = await import("./healing-phases.mjs");
const { healingSection, writeHealingTable } = await import("./healing-table.mjs");
const { describeRun, MiB, median, round } = await import("./run-facts.mjs");
const { fillSmall, measureStartUp } = await import("./start-up.mjs");

const sizes = { fileBytes: 2048 * MiB, chunks: options.full ? 1_000_000 : 100_000 };
const defaults = { "repair.rate": 50 * MiB, "scrub.rate": 10 * MiB, "compaction.rate": 20 * MiB };
const folder = mkdtempSync(join(options.data, "cairn-bench-"));
const resultsFolder = fileURLToPath(new URL("./results/", import.meta.url));

try {
  const work = options.only === "start-up" ? undefined : await measureWork();
  const startUp = options.only === "work" ? undefined : await measureStarts();
  const result = { ...describeRun(), sizes, work, startUp };
  if (options.only) {
    console.log(JSON.stringify(result, null, 2));
  } else {
    mkdirSync(resultsFolder, { recursive: true });
    writeFileSync(join(resultsFolder, "healing.json"), `${JSON.stringify(result, null, 2)}\n`);
    writeHealingTable(result);
    console.log(healingSection(result));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function measureStarts() {
  const filled = options.filled ?? join(folder, "start-up");
  if (!existsSync(filled)) {
    say(`${sizes.chunks} small files`);
    await fillSmall({ folder: filled, chunks: sizes.chunks });
  }
  return measureStartUp({ folder: filled, emptyFolder: join(folder, "empty"), say });
}

/** Five nodes, two copies: repair, scrub and collection with and without users beside them. */
function measureWork() {
  const settings = { "repair.delay": 0, "repair.delay-single": 0, "safe-mode.time": 5000, "scrub.paused": 1 };
  return withHealingCluster({ folder: join(folder, "work"), nodes: 5, settings }, measurePhases);
}

async function measurePhases(cluster) {
  say(`${sizes.fileBytes / MiB} MiB of files`);
  const ids = await phases.fill(cluster.client, sizes.fileBytes);
  const foreground = new Foreground(cluster.client);
  await foreground.prepare();
  const ceilings = await measureCeilings(cluster);

  say("users alone");
  const idle = [await foreground.during(() => pause(15_000))];
  const scrub = await measureScrub(cluster, foreground);
  idle.push(await foreground.during(() => pause(15_000)));
  say("collection and compaction, with users");
  await cluster.operations.changeSettings({ "compaction.rate": defaults["compaction.rate"] });
  // Every second file of the older half: their segments are worth rewriting, the others stay as they are.
  const deleted = ids.filter((_, index) => index % 2 === 0 && index < ids.length / 2);
  const collection = await foreground.during(() => phases.collectAndCompact(cluster, deleted), { secondsMin: 20 });
  idle.push(await foreground.during(() => pause(15_000)));
  const repair = await measureRepair(cluster, foreground);
  idle.push(await foreground.during(() => pause(15_000)));
  return { ceilings, idle, repair, scrub, collection };
}

async function measureCeilings(cluster) {
  say("ceilings: copy and read of the same segments, hash");
  const files = ["node-1", "node-2", "node-3", "node-4", "node-5"].flatMap((name) =>
    phases.segmentsOf(cluster.diskOf(name)),
  );
  await phases.readCeiling(files);
  const one = phases.segmentsOf(cluster.diskOf("node-5"));
  const copies = [];
  for (let run = 0; run < 3; run++) copies.push(await phases.copyCeiling(one, join(folder, "ceiling-copy")));
  return {
    copy: { MiBps: median(copies, (rate) => rate) },
    read: { MiBps: await phases.readCeiling(files), bytes: files.reduce((sum, path) => sum + statSync(path).size, 0) },
    sha256MiBps: round(await sha256(), 0),
  };
}

async function measureScrub(cluster, foreground) {
  const { operations } = cluster;
  say("scrub without users, as fast as it goes");
  await operations.changeSettings({ "scrub.paused": 0, "scrub.rate": phases.unlimited });
  await pause(4000);
  const alone = await phases.scrubPass(cluster);
  say("scrub with users");
  const unlimited = await foreground.during(() => phases.scrubPass(cluster));
  await operations.changeSettings({ "scrub.rate": defaults["scrub.rate"] });
  await pause(4000);
  const { id } = await operations.startScrub();
  const atDefault = await foreground.during(() => pause(15_000));
  await operations.cancelJob(id);
  await operations.changeSettings({ "scrub.paused": 1 });
  return { alone, unlimited, atDefault };
}

/** Each node stays away: one that comes back may not take its groups again before the orders to drop them have run out. */
async function measureRepair(cluster, foreground) {
  const { operations } = cluster;
  const withUsers = (name) => foreground.during((mark) => phases.killAndRepair(cluster, name, mark));
  say("kill -9 of node-5, with users, at the default rate");
  await operations.changeSettings({ "repair.rate": defaults["repair.rate"] });
  await pause(4000);
  const atDefault = await withUsers("node-5");
  say("kill -9 of node-4, with users, as fast as it goes");
  await operations.changeSettings({ "repair.rate": phases.unlimited });
  await pause(4000);
  const unlimited = await withUsers("node-4");
  say("kill -9 of node-3, without users, as fast as it goes");
  const alone = await phases.killAndRepair(cluster, "node-3");
  return { atDefault, unlimited, alone };
}

function say(line) {
  console.error(`· ${line}`);
}
