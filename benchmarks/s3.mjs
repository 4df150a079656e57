// npm run bench -- s3 [--data DIR] [--quick]: the S3 door beside a bare node:http server under the same load, in the same run.
// Result in benchmarks/results/s3.json, table in docs/performance.md.
import { fork } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { withCluster } from "./cluster.mjs";
import { MiB, round, withUsage } from "./measure.mjs";
import { describeRun } from "./run-facts.mjs";

const { CairnClient } = await import("@cairn/client");
const { values: options } = parseArgs({
  args: process.argv.slice(3),
  options: { data: { type: "string", default: tmpdir() }, quick: { type: "boolean", default: false } },
});
const scale = options.quick ? 0.2 : 1;
const KiB = 1024;
/** What is measured; the counts keep each run at a few seconds. */
const works = [
  { name: "PUT 4 KiB, 1 client", op: "PUT", size: 4 * KiB, clients: 1, count: 1500, prefix: "a-" },
  { name: "PUT 4 KiB, 32 clients", op: "PUT", size: 4 * KiB, clients: 32, count: 12_000, prefix: "b-" },
  { name: "GET 4 KiB, 32 clients", op: "GET", size: 4 * KiB, clients: 32, count: 12_000, prefix: "b-" },
  { name: "PUT 64 KiB, 32 clients", op: "PUT", size: 64 * KiB, clients: 32, count: 3000, prefix: "c-" },
  { name: "GET 64 KiB, 32 clients", op: "GET", size: 64 * KiB, clients: 32, count: 3000, prefix: "c-" },
  { name: "PUT 1 MiB, 16 clients", op: "PUT", size: MiB, clients: 16, count: 400, prefix: "d-" },
  { name: "GET 1 MiB, 16 clients", op: "GET", size: MiB, clients: 16, count: 400, prefix: "d-" },
  { name: "PUT 64 MiB, 4 clients", op: "PUT", size: 64 * MiB, clients: 4, count: 8, prefix: "e-" },
  { name: "GET 64 MiB, 4 clients", op: "GET", size: 64 * MiB, clients: 4, count: 8, prefix: "e-" },
  { name: "ListObjectsV2, pages of 1,000", op: "LIST", clients: 1, count: 100 },
  { name: "DELETE, 32 clients", op: "DELETE", clients: 32, count: 12_000, prefix: "b-" },
];
const bucket = "bench";
/** Signs for the bare server, which does not look. */
const nobody = { accessKeyId: "nobody", secretAccessKey: "nothing", region: "us-east-1" };
const folder = mkdtempSync(join(options.data, "cairn-bench-s3-"));

try {
  const bare = await withBareServer((endpoint) => measure({ endpoint, credentials: nobody }));
  const { rows: cairn, usage } = await withCluster({ folder }, measureCairn);
  const result = {
    ...describeRun(),
    data: options.data.startsWith("/dev/shm") ? "in memory" : "on a disk",
    bare,
    cairn,
    usage,
  };
  if (options.quick) console.log(tableOf(result));
  else store(result);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function measureCairn({ url, token, pids }) {
  const client = new CairnClient({ url, token });
  try {
    const { endpoint, ...credentials } = await client.accessKeys.create({ name: "bench", scopes: ["read", "write"] });
    const { S3Client, CreateBucketCommand } = await import("@aws-sdk/client-s3");
    const sdk = new S3Client({ endpoint, region: credentials.region, forcePathStyle: true, credentials });
    await sdk.send(new CreateBucketCommand({ Bucket: bucket }));
    sdk.destroy();
    const { result: rows, usage } = await withUsage(pids, () => measure({ endpoint, credentials }));
    return { rows, usage };
  } finally {
    await client[Symbol.asyncDispose]();
  }
}

/** Each work in a process of its own, whose code a short run has warmed. */
async function measure({ endpoint, credentials }) {
  const rows = {};
  for (const { name, count, ...work } of works) {
    console.error(`· ${endpoint} ${name}`);
    const wanted = Math.max(4, Math.round(count * scale));
    rows[name] = await inProcess({ ...work, endpoint, credentials, bucket, count: wanted });
  }
  return rows;
}

function inProcess({ size = 0, ...task }) {
  const child = fork(fileURLToPath(new URL("./s3-load.mjs", import.meta.url)));
  return new Promise((resolve, reject) => {
    child.once("message", (result) => {
      child.disconnect();
      resolve(Object.fromEntries(Object.entries(result).map(([name, value]) => [name, round(value)])));
    });
    child.once("exit", (code) => reject(new Error(`the load ended with ${code}`)));
    const bare = task.credentials === nobody && task.op === "GET" ? { bucket: `get-${size}` } : {};
    child.send({ ...task, size, ...bare });
  });
}

async function withBareServer(work) {
  const server = fork(fileURLToPath(new URL("./bare-server.mjs", import.meta.url)), {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  const port = await new Promise((resolve) => server.stdout.once("data", (text) => resolve(Number(text))));
  try {
    return await work(`http://127.0.0.1:${port}`);
  } finally {
    server.disconnect();
  }
}

function store(result) {
  const results = fileURLToPath(new URL("./results/", import.meta.url));
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, "s3.json"), `${JSON.stringify(result, null, 2)}\n`);
  const document = fileURLToPath(new URL("../docs/performance.md", import.meta.url));
  const [start, end] = ["<!-- s3: written by npm run bench -- s3 -->", "<!-- end of s3 -->"];
  const text = readFileSync(document, "utf8");
  const before = text.slice(0, text.indexOf(start) + start.length);
  writeFileSync(document, `${before}\n\n${tableOf(result)}\n${text.slice(text.indexOf(end))}`);
  console.log(tableOf(result));
}

function tableOf({ machine, node, commit, at, data, bare, cairn, usage }) {
  const rows = works.map(({ name, size = 0, op }) => {
    const [mine, ceiling] = [cairn[name], bare[name]];
    const rate = (it) => (size >= 64 * KiB ? `${it.MiBps} MiB/s` : `${Math.round(it.perSecond)}/s`);
    const hasCeiling = op === "PUT" || op === "GET";
    const beside = hasCeiling ? `${rate(ceiling)} | ${(mine.perSecond / ceiling.perSecond).toFixed(2)}` : " | ";
    return `| ${name} | ${rate(mine)} | ${mine.p50Ms} / ${mine.p99Ms} ms | ${beside} |`;
  });
  const memory = Object.entries(usage).filter(([name, value]) => value && name !== "client");
  const total = memory.reduce((sum, [, { shareMiB }]) => sum + shareMiB, 0);
  return [
    `${machine.cores} cores (${machine.cpu}), ${machine.memoryGiB} GiB, ${machine.platform}, Node ${node}, commit ${commit}, ${at.slice(0, 10)}; ${data}, two copies, synced.`,
    "",
    "| work | Cairn | p50 / p99 | bare node:http | ratio |",
    "|---|---|---|---|---|",
    ...rows,
    "",
    `Memory of all server processes together after all of this: ${total} MiB (${memory.map(([name, { shareMiB }]) => `${name} ${shareMiB}`).join(", ")}).`,
    "",
  ].join("\n");
}
