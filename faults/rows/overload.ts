import { mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FaultCluster } from "../harness/fault-cluster.ts";
import { memory, openFiles } from "../harness/proc.ts";
import { head, RawConnection } from "../harness/raw-request.ts";
import { run } from "../harness/shell.ts";
import { Injection } from "../harness/strace.ts";
import { judgeAll } from "../harness/verdict.ts";
import { Workload } from "../harness/workload.ts";
import { memoryCgroup } from "../run/capabilities.ts";
import type { Row } from "../run/row.ts";
import type { RowContext } from "../run/row-context.ts";

const MiB = 1024 * 1024;

/** 5,000 connections within a second, each with a request; then the metadata server is started again under them. */
async function connectionStorm(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context);
  const workload = await new Workload(context, cluster, { patienceMs: 30_000 }).start();
  await workload.more(20);
  const files = openFiles(cluster.metadata.pid);
  const url = cluster.metadata.url;
  const storm: RawConnection[] = [];
  context.defer("end the storm", () => storm.forEach(({ socket }) => void socket.destroy()));
  const begin = performance.now();
  const headers = { authorization: `Bearer ${cluster.profile.token}` };
  for (let number = 0; number < 5000; number++) {
    const connection = new RawConnection(url);
    connection.send(head("GET /api/v1/cluster", headers));
    storm.push(connection);
    if (number % 250 === 249) await context.pause(45);
  }
  context.note("connections opened in ms", performance.now() - begin);
  const answered = await context.becomes(
    () => storm.every(({ status, closed }) => status !== undefined || closed),
    60_000,
  );
  const count = (wanted: number): number => storm.filter(({ status }) => status === wanted).length;
  context.note("answered 200", count(200));
  context.note("answered 503", count(503));
  context.expect("O11", answered !== undefined, "connections were left without an answer for a minute");
  context.expect(
    "O11",
    count(200) + count(503) + count(429) >= 4900,
    `${5000 - count(200) - count(503)} connections got neither 200 nor 503`,
  );
  await cluster.metadata.kill();
  await cluster.metadata.start();
  for (const { socket } of storm) socket.destroy();
  const calm = await context.becomes(async () => {
    const asked = performance.now();
    await workload.more(5, 20_000);
    return performance.now() - asked < 5000;
  }, 10_000);
  context.expect("O11", calm !== undefined, "ten seconds after the storm five changes took more than five seconds");
  await backToBaseline(context, cluster, files);
  await judgeAll(context, cluster, { workload });
}

/** Slow headers, slow bodies, readers that do not read, and 2,000 idle connections. */
async function slowloris(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context);
  const client = cluster.client();
  const { entry } = await client.upload({ bytes: Buffer.alloc(8 * MiB, "slow reader") }, { name: "large" });
  const workload = await new Workload(context, cluster).start();
  await workload.more(20);
  const { pid, url } = cluster.metadata;
  const before = { files: openFiles(pid), memory: memory(pid).now };
  const authorization = `Bearer ${cluster.profile.token}`;
  const all: RawConnection[] = [];
  context.defer("end slow clients", () => all.forEach(({ socket }) => void socket.destroy()));
  const open = (count: number, first: string): RawConnection[] => {
    const opened = Array.from({ length: count }, () => new RawConnection(url));
    for (const connection of opened) connection.send(first);
    all.push(...opened);
    return opened;
  };
  const slowHeaders = open(200, "GET /api/v1/cluster HTTP/1.1\r\nhost: cairn\r\n");
  const upload = { authorization, "content-length": 100_000_000 };
  const slowBodies = open(100, `${head("PUT /api/v1/files/by-path/slow?onConflict=version", upload)}x`);
  const slowReaders = open(50, head(`GET /api/v1/files/${entry.id}/content`, { authorization }));
  for (const { socket } of slowReaders) socket.pause();
  open(2000, head("GET /healthz", {}));
  let peak = 0;
  const drip = async (): Promise<boolean> => {
    for (const connection of slowHeaders) connection.send("x");
    for (const connection of slowBodies) connection.send("x");
    peak = Math.max(peak, memory(pid).now);
    await context.pause(1000);
    return [...slowHeaders, ...slowBodies].every(({ closed, status }) => closed || status !== undefined);
  };
  const ended = await context.becomes(drip, 120_000);
  context.note("slow requests ended after ms", ended ?? "never");
  context.expect("O11", ended !== undefined, "slow requests were still held open after two minutes");
  context.note("memory MiB before and at most", `${Math.round(before.memory)} ${Math.round(peak)}`);
  context.expect("O7", peak - before.memory < 400, `memory grew by ${Math.round(peak - before.memory)} MiB`);
  await workload.more(20);
  for (const { socket } of all) socket.destroy();
  await backToBaseline(context, cluster, before.files);
  await judgeAll(context, cluster, { workload, failuresMax: 0 });
}

/** The metadata server (with its gateway) and a node get little memory; many large uploads come at once. */
async function littleMemory(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context);
  const workload = await new Workload(context, cluster, { patienceMs: 60_000 }).start();
  await workload.more(10);
  const limit = 512 * MiB;
  const groups = [cluster.metadata, cluster.node("node-2")].map((part) => limitMemory(context, part.pid, limit));
  const { url, token } = cluster.profile;
  const body = Buffer.alloc(16 * MiB);
  for (let at = 0; at < body.length; at += 4096) body.writeDoubleLE(context.chance(), at);
  const statuses = await Promise.all(
    Array.from({ length: 64 }, async (_, number) => {
      const target = `${url}/api/v1/files/by-path/big-${number}?onConflict=version`;
      const own = Buffer.from(body);
      own.writeUInt32LE(number, 0);
      return fetch(target, { method: "PUT", headers: { authorization: `Bearer ${token}` }, body: own }).then(
        ({ status }) => String(status),
        () => "broken",
      );
    }),
  );
  const count = (status: string): number => statuses.filter((it) => it === status).length;
  context.note(
    "64 uploads of 16 MiB",
    [...new Set(statuses)].map((status) => `${count(status)} × ${status}`).join(", "),
  );
  const bad = statuses.filter((status) => !["200", "201", "503", "broken"].includes(status));
  context.expect("O11", bad.length === 0, `answers: ${bad.join(" ")}`);
  for (const part of [cluster.metadata, cluster.node("node-2")]) {
    if (part.isRunning) context.note(`${part.name} at most MiB`, memory(part.pid).peak);
    else context.note(part.name, `was ended by the kernel (${await part.ended()})`);
    if (!part.isRunning) await part.start();
  }
  context.note("groups", groups.length);
  await cluster.online();
  await judgeAll(context, cluster, { workload });
}

/** A node, then the metadata server, can open no more files; then they can again. */
async function noMoreFiles(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context);
  const workload = await new Workload(context, cluster, { patienceMs: 15_000 }).start();
  await workload.more(30);
  for (const part of [cluster.node("node-2"), cluster.metadata]) {
    const before = openFiles(part.pid);
    await run("prlimit", "--pid", String(part.pid), `--nofile=${Math.max(20, before - 5)}:20000`);
    const extra = Array.from({ length: 100 }, () => new RawConnection(part.url));
    await context.pause(8000);
    context.expect("expected", part.isRunning, `${part.name} ended: ${part.lastOutput.slice(-300)}`);
    for (const { socket } of extra) socket.destroy();
    await run("prlimit", "--pid", String(part.pid), "--nofile=20000:20000");
    await cluster.online();
    await workload.more(10);
    const after = await context.becomes(() => openFiles(part.pid) <= before + 60, 90_000);
    context.expect("O7", after !== undefined, `${part.name} holds ${openFiles(part.pid)} files, ${before} before`);
  }
  await judgeAll(context, cluster, { workload });
}

/** All calls to the disk of one node take seconds: its threads are all waiting. */
async function starvedThreads(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context, { nodes: 4 });
  const workload = await new Workload(context, cluster).start();
  await workload.more(30);
  const node = cluster.node("node-2");
  const calls = ["fdatasync", "pwritev", "pread64"].map((call) => `${call}:delay_enter=3000000`);
  const injection = await Injection.into(context, node.pid, ...calls);
  const times: number[] = [];
  for (let turn = 0; turn < 10; turn++) {
    for (const url of [node.url, cluster.metadata.url]) {
      const begin = performance.now();
      const answer = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(5000) }).then(
        ({ status }) => status,
        () => 0,
      );
      times.push(performance.now() - begin);
      context.expect("O11", answer === 200, `${url}/healthz gave ${answer}`);
    }
    await context.pause(1000);
  }
  context.note("slowest health answer ms", Math.max(...times));
  context.expect("O11", Math.max(...times) < 3000, `a health answer took ${Math.round(Math.max(...times))} ms`);
  await injection.end();
  await workload.more(20);
  await judgeAll(context, cluster, { workload, failuresMax: 0 });
}

/** O7: what was opened is closed again. */
async function backToBaseline(context: RowContext, cluster: FaultCluster, files: number): Promise<void> {
  const spent = await context.becomes(() => openFiles(cluster.metadata.pid) <= files + 60, 90_000);
  context.expect("O7", spent !== undefined, `${openFiles(cluster.metadata.pid)} open files, ${files} before`);
}

function limitMemory(context: RowContext, pid: number, bytes: number): string {
  const group = join(memoryCgroup, `cairn-faults-${pid}`);
  mkdirSync(group);
  context.defer("remove memory group", async () => {
    await context.becomes(() => removed(group), 5000).catch(() => undefined);
  });
  writeFileSync(join(group, "memory.limit_in_bytes"), String(bytes));
  writeFileSync(join(group, "cgroup.procs"), String(pid));
  return group;
}

function removed(group: string): boolean {
  try {
    rmdirSync(group);
    return true;
  } catch {
    return false;
  }
}

export const overloadRows: readonly Row[] = [
  {
    id: "F49",
    tier: 1,
    title: "5,000 connections in a second, then a restart of the metadata server under them",
    expected: "answers or 503; calm within ten seconds",
    needs: [],
    run: connectionStorm,
  },
  {
    id: "F50",
    tier: 1,
    title: "slow headers, slow bodies, readers that do not read, 2,000 idle connections",
    expected: "they are cut off; memory stays bounded; others notice nothing",
    needs: [],
    run: slowloris,
  },
  {
    id: "F51",
    tier: 1,
    title: "64 uploads of 16 MiB at once while the metadata server and a node have 512 MiB (memory cgroup)",
    expected: "back-pressure, or 503; if the kernel ends a process, nothing acknowledged is lost",
    needs: ["root", "memory cgroup"],
    run: littleMemory,
  },
  {
    id: "F52",
    tier: 1,
    title: "no more files can be opened by a node, then by the metadata server (prlimit)",
    expected: "no process ends; all is well when there are files again",
    needs: ["root", "prlimit"],
    run: noMoreFiles,
  },
  {
    id: "F53",
    tier: 1,
    title: "every call to the disk of one node takes 3 s longer (strace)",
    expected: "health and metadata still answer; the others take over",
    needs: ["root", "strace"],
    run: starvedThreads,
  },
];
