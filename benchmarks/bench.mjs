// npm run bench [-- --data DIR] [--quick]: Cairn beside the ceilings of the same run. Result in benchmarks/results, table in
// docs/performance.md. --data selects the disk; a folder in memory (such as /dev/shm) takes the disk out of the picture.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { prepare } from "../scripts/prepare.mjs";

prepare();
const { values: options } = parseArgs({
  options: {
    data: { type: "string", default: tmpdir() },
    quick: { type: "boolean", default: false },
  },
});
const { bareGet, barePut, diskWrite, sha256, syncLatency, withBareServers } = await import("./ceilings.mjs");
const { withCluster } = await import("./cluster.mjs");
const { measureMetadata } = await import("./metadata.mjs");
const { MiB, round } = await import("./measure.mjs");
const { knownContent, largeFile, smallFiles } = await import("./workloads.mjs");
const { section, writeTable } = await import("./table.mjs");
const { CairnClient } = await import("@cairn/client");

const copies = 2;
const scale = options.quick ? 0.25 : 1;
const sizes = {
  largeBytes: Math.round(1024 * scale) * MiB,
  smallFiles: Math.round(8000 * scale),
  mediumFiles: Math.round(3000 * scale),
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
  const bare = await withBareServers(copies, async (pools) => ({
    putMiB: round(await barePut(pools, { bodyBytes: MiB, count: 600 * scale, inFlight: 16 })),
    getMiB: round(await bareGet(pools, { bodyBytes: MiB, count: 1500 * scale, inFlight: 16 })),
    put4KiB: round(await barePut(pools, { bodyBytes: 4096, count: 15_000 * scale, inFlight: 32 })),
    get4KiB: round(await bareGet(pools, { bodyBytes: 4096, count: 30_000 * scale, inFlight: 32 })),
    put64KiB: round(await barePut(pools, { bodyBytes: 65_536, count: 6000 * scale, inFlight: 32 })),
    get64KiB: round(await bareGet(pools, { bodyBytes: 65_536, count: 12_000 * scale, inFlight: 32 })),
  }));
  return { disk, hash, bare };
}

async function measureCairn({ url, token, pids }) {
  const client = new CairnClient({ url, token });
  try {
    say("one large file up and down");
    const { entry, ...large } = await largeFile(client, pids, { bytes: sizes.largeBytes });
    await client.delete(entry.id, { permanent: true });
    say("4 KiB files, 32 under way");
    const small = await smallFiles(client, pids, { bodyBytes: 4096, count: sizes.smallFiles });
    say("64 KiB files, 32 under way");
    const medium = await smallFiles(client, pids, { bodyBytes: 65_536, count: sizes.mediumFiles });
    say("known content again");
    const known = await knownContent(client, { bytes: 128 * MiB, nodeBytesReceived: () => receivedByNodes(client) });
    return { large, small, medium, known };
  } finally {
    await client[Symbol.asyncDispose]();
  }
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
