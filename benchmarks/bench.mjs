// npm run bench [-- --data DIR] [--quick], or npm run bench -- healing (healing.mjs), or -- s3 (s3.mjs): Cairn beside the ceilings of the same run. Result in benchmarks/results, table in
// docs/performance.md. --data selects the disk; a folder in memory (such as /dev/shm) takes the disk out of the picture.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { prepare } from "../scripts/prepare.mjs";

prepare();
if (process.argv[2] === "healing" || process.argv[2] === "s3") {
  await import(`./${process.argv[2]}.mjs`);
  process.exit();
}
const { values: options } = parseArgs({
  options: {
    data: { type: "string", default: tmpdir() },
    quick: { type: "boolean", default: false },
  },
});
const { bareGet, barePut, diskWrite, sha256, syncLatency, withBareServers } = await import("./ceilings.mjs");
const { withCluster } = await import("./cluster.mjs");
const { measureMetadata } = await import("./metadata.mjs");
const { MiB, median, round } = await import("./measure.mjs");
const { knownContent, largeFile, smallFiles } = await import("./workloads.mjs");
const { section, writeTable } = await import("./table.mjs");
const { CairnClient } = await import("@cairn/client");

const copies = 2;
const scale = options.quick ? 0.25 : 1;
const sizes = {
  // Several runs of them have to fit into memory that the machine has at hand: fresh pages of a virtual one cost extra.
  largeBytes: Math.round(512 * scale) * MiB,
  smallFiles: Math.round(6000 * scale),
  mediumFiles: Math.round(2000 * scale),
  metadataCommits: Math.round(40_000 * scale),
};
const folder = mkdtempSync(join(options.data, "cairn-bench-"));
const resultsFolder = fileURLToPath(new URL("./results/", import.meta.url));

try {
  const ceilings = await measureCeilings();
  const cairn = await withCluster({ folder: join(folder, "cluster"), copies }, measureCairn);
  const metadata = await measureMetadata({ folder: join(folder, "metadata"), commits: sizes.metadataCommits });
  const result = { ...describeRun(), sizes, copies, ceilings, cairn, metadata };
  if (options.quick) {
    console.log(section("A quick look; nothing is stored", result));
  } else {
    mkdirSync(resultsFolder, { recursive: true });
    const name = options.data.startsWith("/dev/shm") ? "ram" : "disk";
    writeFileSync(join(resultsFolder, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`);
    writeTable(resultsFolder);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function measureCeilings() {
  say("ceilings: disk, hash, bare HTTP");
  const disk = {
    MiBps: round(await diskWrite({ folder, bytes: sizes.largeBytes / 2, copies })),
    syncMs: round(await syncLatency(folder), 3),
  };
  const hash = { MiBps: round(await sha256()) };
  const bare = await withBareServers(copies, async (pools) => {
    const put = (bodyBytes, count, inFlight = 32) => settled(() => barePut(pools, { bodyBytes, count, inFlight }));
    const get = (bodyBytes, count, inFlight = 32) => settled(() => bareGet(pools, { bodyBytes, count, inFlight }));
    return {
      putMiB: await put(MiB, 600 * scale, 16),
      getMiB: await get(MiB, 1500 * scale, 16),
      put4KiB: await put(4096, 15_000 * scale),
      get4KiB: await get(4096, 30_000 * scale),
      put64KiB: await put(65_536, 6000 * scale),
      get64KiB: await get(65_536, 12_000 * scale),
    };
  });
  return { disk, hash, bare };
}

/** The median of three runs; one before them is not counted, because its code is not compiled yet. */
async function settled(run) {
  await run();
  return round(median([await run(), await run(), await run()], (rate) => rate));
}

async function measureCairn({ url, token, pids }) {
  const client = new CairnClient({ url, token });
  try {
    say("one large file up and down");
    const large = await settledBothWays(async () => {
      const { entry, ...large } = await largeFile(client, pids, { bytes: sizes.largeBytes });
      await client.delete(entry.id, { permanent: true });
      return large;
    }, "MiBps");
    say("4 KiB files, 32 under way");
    const files = (bodyBytes, count) => () => smallFiles(client, pids, { bodyBytes, count });
    const small = await settledBothWays(files(4096, sizes.smallFiles), "perSecond");
    say("64 KiB files, 32 under way");
    const medium = await settledBothWays(files(65_536, sizes.mediumFiles), "perSecond");
    say("known content again");
    const known = await knownContent(client, { bytes: 128 * MiB, nodeBytesReceived: () => receivedByNodes(client) });
    return { large, small, medium, known };
  } finally {
    await client[Symbol.asyncDispose]();
  }
}

/** As `settled`, for work that goes up and then down. */
async function settledBothWays(run, rate) {
  await run();
  const runs = [await run(), await run(), await run()];
  const of = (way) =>
    median(
      runs.map((each) => each[way]),
      (figures) => figures[rate],
    );
  return { upload: of("upload"), download: of("download") };
}

/** Payload bytes that all nodes have received since they started. */
async function receivedByNodes(client) {
  let bytes = 0;
  for (const { url } of await client.nodes()) {
    const text = await (await fetch(`${url}/metrics`)).text();
    bytes += Number(/^cairn_chunk_received_bytes_total (\d+)/m.exec(text)?.[1] ?? 0);
  }
  return bytes;
}

function describeRun() {
  const git = (...args) => {
    try {
      return execFileSync("git", args, { encoding: "utf8" }).trim();
    } catch {
      return "unknown";
    }
  };
  return {
    at: new Date().toISOString(),
    commit: git("rev-parse", "--short", "HEAD"),
    node: process.version,
    machine: {
      cpu: cpus()[0]?.model,
      cores: cpus().length,
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      platform: `${process.platform}-${process.arch}`,
    },
  };
}

function say(line) {
  console.error(`· ${line}`);
}
