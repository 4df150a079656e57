import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DiskImage } from "../harness/disk-image.ts";
import { FaultCluster } from "../harness/fault-cluster.ts";
import { run } from "../harness/shell.ts";
import { Injection } from "../harness/strace.ts";
import { judgeAll } from "../harness/verdict.ts";
import { Workload } from "../harness/workload.ts";
import type { Row } from "../run/row.ts";
import type { RowContext } from "../run/row-context.ts";

const MiB = 1024 * 1024;

/** What a node's disk answers to system calls, while the load goes on. */
async function injected(context: RowContext, injections: readonly string[], failuresMax = 0): Promise<void> {
  const cluster = await FaultCluster.start(context, { nodes: 4 });
  const workload = await new Workload(context, cluster).start();
  await workload.more(30);
  const victim = cluster.node("node-2");
  const injection = await Injection.into(context, victim.pid, ...injections);
  await workload.more(60);
  await context.pause(3000);
  await injection.end();
  context.expect("expected", victim.isRunning, `the node ended: ${victim.lastOutput.slice(-300)}`);
  const client = cluster.client();
  const { claims } = await client.operations.health();
  const disks = claims.find(({ name }) => name === "disks");
  context.note("health says", `${disks?.verdict}: ${disks?.message}`);
  await workload.more(20);
  // A disk that failed stays failed until its node is started again, as after its replacement.
  await victim.stop();
  await victim.start();
  await cluster.online();
  await judgeAll(context, cluster, { workload, failuresMax });
}

/** No call to a node's disk succeeds any more: its groups are copied elsewhere at once, while the process is up. */
async function diskDies(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context, { nodes: 4, settings: { "repair.delay": "10m" } });
  const workload = await new Workload(context, cluster).start();
  await workload.more(60);
  const victim = cluster.node("node-2");
  const calls = ["pread64", "preadv", "pwrite64", "pwritev", "fdatasync", "fsync"];
  const injection = await Injection.into(context, victim.pid, ...calls.map((call) => `${call}:error=EIO`));
  const begin = performance.now();
  const client = cluster.client();
  const failed = async (): Promise<boolean> =>
    (await client.nodes()).some(({ disks }) => disks.some(({ state }) => state === "failed"));
  const known = await context.becomes(failed, 60_000);
  context.expect("expected", known !== undefined, "the disk is not known to have failed");
  const empty = async (): Promise<boolean> => {
    const { safe } = await client.operations.health();
    return safe === "yes" && (await client.operations.nodeImpact("node-2")).groups === 0;
  };
  const spent = await context.becomes(empty, 120_000);
  context.expect("expected", spent !== undefined, "its groups were not copied elsewhere");
  if (spent !== undefined) context.note("full redundancy after ms", performance.now() - begin);
  context.expect("expected", victim.isRunning, `the node ended: ${victim.lastOutput.slice(-300)}`);
  await injection.end();
  await victim.kill();
  await victim.start();
  await cluster.online();
  await judgeAll(context, cluster, { workload, failuresMax: 0 });
}

/** One node's disk fills up; later there is room again. */
async function nodeIsFull(context: RowContext): Promise<void> {
  // All of one size, so that the one that was full is as good a place as any when it has room again.
  const disks = new Map<string, DiskImage>();
  for (const name of ["node-1", "node-2", "node-3", "node-4"]) disks.set(name, await DiskImage.make(context, { name }));
  const disk = disks.get("node-2") as DiskImage;
  const placeOf = (name: string): string => disks.get(name)?.place ?? join(context.folder, name);
  const cluster = await FaultCluster.start(context, { placeOf, nodes: 4 });
  const workload = await new Workload(context, cluster).start();
  await workload.more(20);
  const ballast = join(disk.place, "ballast");
  await run("sh", "-c", `dd if=/dev/zero of=${ballast} bs=1M status=none 2>/dev/null; true`);
  await workload.more(80);
  const node = cluster.node("node-2");
  context.expect("expected", node.isRunning, "the node ended when its disk was full");
  await readsGoOn(context, workload);
  rmSync(ballast);
  const pid = node.pid;
  const client = cluster.client();
  const before = await usedBy(client, "node-2");
  const spent = await context.becomes(async () => (await usedBy(client, "node-2")) > before, 60_000);
  context.expect("expected", spent !== undefined && node.pid === pid, "with room again the node took no chunks");
  if (spent !== undefined) context.note("takes chunks again after ms", spent);
  await judgeAll(context, cluster, { workload, failuresMax: 0 });
}

/** All disks fill up: writes are refused and say why, reads and deletes go on; with room again all is well. */
async function allAreFull(context: RowContext): Promise<void> {
  const disks = new Map<string, DiskImage>();
  for (const name of ["node-1", "node-2", "node-3"])
    disks.set(name, await DiskImage.make(context, { name, bytes: 96 * MiB }));
  const placeOf = (name: string): string => disks.get(name)?.place ?? join(context.folder, name);
  const cluster = await FaultCluster.start(context, { placeOf });
  const workload = await new Workload(context, cluster, { patienceMs: 20_000 }).start();
  await workload.more(30);
  const fill = [...disks.values()].map(
    ({ place }) => `dd if=/dev/zero of=${place}/ballast bs=1M status=none 2>/dev/null; true`,
  );
  await Promise.all(fill.map((command) => run("sh", "-c", command)));
  await context.pause(12_000);
  const client = cluster.client();
  const bytes = new Uint8Array(300_000).fill(7);
  const refusal = await client.upload({ bytes }, { name: "too-much" }).then(
    () => "accepted",
    (error) => `${error.kind}`,
  );
  context.expect("expected", refusal === "no-space" || refusal === "unavailable", `a write on full disks: ${refusal}`);
  context.note("a write is refused as", refusal);
  await workload.stop();
  await readsGoOn(context, workload);
  const victim = workload.ledger.entries.findLast(({ kind, outcome }) => kind === "put" && outcome === "ok");
  const removal = await workload.delete(victim?.client ?? 0, victim?.key ?? "");
  context.expect(
    "expected",
    removal.outcome === "ok" || removal.outcome === "fail",
    `a delete on full disks: ${removal.why}`,
  );
  for (const { place } of disks.values()) rmSync(join(place, "ballast"));
  await workload.start();
  await workload.more(10);
  await judgeAll(context, cluster, { workload });
}

/** The disk of the metadata database is full: writes wait or are refused, reads go on, the database stays whole. */
async function databaseIsFull(context: RowContext): Promise<void> {
  const disk = await DiskImage.make(context, { name: "metadata", bytes: 48 * MiB });
  const placeOf = (name: string): string => (name === "metadata" ? disk.place : join(context.folder, name));
  const cluster = await FaultCluster.start(context, { placeOf });
  const workload = await new Workload(context, cluster, { patienceMs: 5000 }).start();
  await workload.more(30);
  const ballast = join(disk.place, "ballast");
  const fill = `dd if=/dev/zero of=${ballast} bs=4k status=none 2>/dev/null; true`;
  await run("sh", "-c", fill);
  const refused = await context.becomes(() => workload.counts.unknown > 3, 90_000);
  context.note("writes fail after ms", refused ?? "never");
  await workload.stop();
  context.note("a write fails as", workload.errors.at(-1)?.slice(0, 160) ?? "it does not");
  await readsGoOn(context, workload);
  context.expect(
    "expected",
    cluster.metadata.isRunning,
    `the metadata server ended: ${cluster.metadata.lastOutput.slice(-300)}`,
  );
  rmSync(ballast);
  if (!cluster.metadata.isRunning) await cluster.metadata.start();
  await workload.start();
  await workload.more(10);
  await judgeAll(context, cluster, { workload });
}

/** The kernel finds an error and lets the file system be read only; the node serves what it can. */
async function readOnly(context: RowContext): Promise<void> {
  const disk = await DiskImage.make(context, { name: "node-2", system: "ext4" });
  const placeOf = (name: string): string => (name === "node-2" ? disk.place : join(context.folder, name));
  const cluster = await FaultCluster.start(context, { placeOf, nodes: 4 });
  const workload = await new Workload(context, cluster).start();
  await workload.more(30);
  await disk.becomeReadOnly();
  await workload.more(60);
  const node = cluster.node("node-2");
  context.note("the node", node.isRunning ? "stays up" : `ended with ${await node.ended()}`);
  await readsGoOn(context, workload);
  await node.kill();
  await disk.restorePower();
  await node.start();
  await cluster.online();
  await judgeAll(context, cluster, { workload, failuresMax: 0 });
}

/** The folder of a disk is gone while its node runs. */
async function vanished(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context, { nodes: 4 });
  const workload = await new Workload(context, cluster).start();
  await workload.more(30);
  const disk = cluster.diskOf("node-2");
  renameSync(disk, `${disk}-gone`);
  await workload.more(60);
  await context.pause(2000);
  const node = cluster.node("node-2");
  context.note("the node", node.isRunning ? "stays up" : `ended with ${await node.ended()}`);
  if (existsSync(disk)) rmSync(disk, { recursive: true });
  renameSync(`${disk}-gone`, disk);
  if (node.isRunning) await node.stop();
  await node.start();
  await cluster.online();
  await judgeAll(context, cluster, { workload, failuresMax: 0 });
}

async function readsGoOn(context: RowContext, workload: Workload): Promise<void> {
  const keys = [...new Set(workload.ledger.entries.map(({ key }) => key))].slice(0, 20);
  const [client] = workload.clients;
  let failed = 0;
  if (client) for (const key of keys) if (!(await workload.read(client, key))) failed++;
  context.expect("O11", failed === 0, `${failed} of ${keys.length} reads failed: ${workload.errors.at(-1)}`);
}

async function usedBy(client: ReturnType<FaultCluster["client"]>, name: string): Promise<number> {
  const node = (await client.nodes()).find((it) => it.node === name);
  return (node?.disks ?? []).reduce((sum, { chunks }) => sum + chunks, 0);
}

const onLoop = ["root", "loop devices", "ext4"] as const;
const onStrace = ["root", "strace"] as const;
const once = "that batch is not acknowledged, the file is never synced again, other disks take over";

export const diskFaultRows: readonly Row[] = [
  {
    id: "F16",
    tier: 0,
    title: "the disk of one node fills up under load, and has room again",
    expected: "writes go elsewhere, reads go on; with room again it takes chunks without a restart",
    needs: onLoop,
    run: nodeIsFull,
  },
  {
    id: "F16 all",
    tier: 0,
    title: "the disks of all nodes fill up",
    expected: "writes are refused with the reason, reads and deletes go on; with room again all is well",
    needs: onLoop,
    run: allAreFull,
  },
  {
    id: "F17",
    tier: 0,
    title: "the disk of the metadata database fills up",
    expected: "writes are refused, reads go on, the database stays whole; with room again all is well",
    needs: onLoop,
    run: databaseIsFull,
  },
  {
    id: "F18 once",
    tier: 0,
    title: "a sync of a node's disk fails once with EIO, then succeeds (strace)",
    expected: once,
    needs: onStrace,
    run: (context) => injected(context, ["fdatasync:error=EIO:when=3"]),
  },
  {
    id: "F18 often",
    tier: 0,
    title: "every fourth sync of a node's disk fails with EIO (strace)",
    expected: `${once}; the disk is given up`,
    needs: onStrace,
    run: (context) => injected(context, ["fdatasync:error=EIO:when=3+4", "fsync:error=EIO:when=5+7"]),
  },
  {
    id: "F19 write",
    tier: 0,
    title: "writes to a node's disk fail with EIO (strace)",
    expected: "the write goes to another node; the process stays up",
    needs: onStrace,
    run: (context) => injected(context, ["pwritev:error=EIO:when=4+3", "pwrite64:error=EIO:when=4+3"]),
  },
  {
    id: "F19 read",
    tier: 0,
    title: "every other read of a node's disk fails with EIO (strace)",
    expected: "the other copy is read; the process stays up",
    needs: onStrace,
    run: (context) => injected(context, ["pread64:error=EIO:when=2+2", "preadv:error=EIO:when=2+2"]),
  },
  {
    id: "F19 dead",
    tier: 0,
    title: "no call to the disk of a node succeeds any more (strace)",
    expected: "the disk is given up, its groups are copied elsewhere at once, the process stays up, no operation fails",
    needs: onStrace,
    run: diskDies,
  },
  {
    id: "F48 read-only",
    tier: 1,
    title: "the file system of one node becomes read only after an error",
    expected: "no operation fails; the node stays up or ends clearly",
    needs: onLoop,
    run: readOnly,
  },
  {
    id: "F48 vanished",
    tier: 1,
    title: "the folder of one node's disk vanishes while it runs, and comes back",
    expected: "no operation fails; nothing is lost",
    needs: [],
    run: vanished,
  },
];
