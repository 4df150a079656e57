import { cpSync, existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { CairnProcess } from "../harness/cairn-process.ts";
import { DiskImage } from "../harness/disk-image.ts";
import { FaultCluster } from "../harness/fault-cluster.ts";
import { judgeAll, redundantAgain } from "../harness/verdict.ts";
import { Workload } from "../harness/workload.ts";
import type { Row } from "../run/row.ts";
import type { RowContext } from "../run/row-context.ts";

const victim = "node-2";
/** A process takes about a second to start, and many on a machine that is busy with other things. */
const refusalMs = 20_000;

/** How it ended, or undefined when it serves; both take as long as they take. */
export async function endsOrServes(context: RowContext, process: CairnProcess): Promise<number | string | undefined> {
  await context.until(
    `${process.name} serves or ends`,
    () => !process.isRunning || /\bready\b/.test(process.lastOutput),
  );
  return process.isRunning ? undefined : process.ended();
}

/** A second node on the same folder, and a second metadata server on the same database. */
async function twoOnOneFolder(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context);
  const workload = await new Workload(context, cluster).start();
  await workload.more(10);
  const args = ["--data", cluster.placeOf(victim), "--metadata", cluster.metadataUrl];
  const second = cluster.process("second node", ["server", "node", ...args]);
  const rival = cluster.process("second metadata", [
    "server",
    "metadata",
    "--data",
    cluster.placeOf("metadata"),
    "--port",
    "0",
  ]);
  for (const process of [second, rival]) {
    process.launch();
    const code = await process.endsWithin(refusalMs);
    context.expect("expected", typeof code === "number" && code !== 0, `${process.name} ended with ${code}`);
    context.expect(
      "expected",
      /Error: .*\nHint/.test(process.output),
      `${process.name} said: ${process.output.slice(-300)}`,
    );
  }
  await workload.more(10);
  await judgeAll(context, cluster, { workload, failuresMax: 0 });
}

/** The disk of a node is empty when it starts again. */
async function wiped(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context, { nodes: 4 });
  const workload = await new Workload(context, cluster).start();
  await workload.more(80);
  const node = cluster.node(victim);
  await node.stop();
  const disk = cluster.diskOf(victim);
  for (const name of readdirSync(disk)) rmSync(join(disk, name), { recursive: true });
  node.launch();
  const code = await endsOrServes(context, node);
  context.note(
    "the wiped node",
    code === undefined ? "joins with an empty disk" : `is refused (${code}): ${node.lastOutput.trim().slice(0, 160)}`,
  );
  const client = cluster.client();
  await redundantAgain(context, client);
  await workload.more(20);
  await judgeAll(context, cluster, { workload, failuresMax: 0 });
}

/** The disk of a node is not mounted: an empty folder stands in its place. */
async function notMounted(context: RowContext): Promise<void> {
  const disk = await DiskImage.make(context, { name: victim });
  const cluster = await FaultCluster.start(context, { diskOf: (name) => (name === victim ? disk.place : undefined) });
  const workload = await new Workload(context, cluster, { keysPerClient: 6 }).start();
  await workload.more(40);
  const node = cluster.node(victim);
  await node.stop();
  await disk.unmount();
  node.launch();
  const code = await node.endsWithin(refusalMs);
  context.expect(
    "expected",
    typeof code === "number" && code !== 0,
    `it started on an empty mount point: ${node.lastOutput.slice(-300)}`,
  );
  context.note("it says", node.lastOutput.trim().split("\n").slice(0, 2).join(" ").slice(0, 200));
  context.expect("expected", !existsSync(join(disk.place, "disk.json")), "it made a new disk on the mount point");
  await node.kill();
  await disk.mount();
  await node.start();
  await cluster.online();
  await judgeAll(context, cluster, { workload, failuresMax: 0 });
}

/** A node comes back with its disk as it was some time ago. */
async function staleDisk(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context, { settings: { "collect.orphans-every": "1s" } });
  const workload = await new Workload(context, cluster, { deletes: 0.25, keysPerClient: 8 }).start();
  await workload.more(80);
  const node = cluster.node(victim);
  await node.stop();
  const copy = join(context.folder, "older-copy");
  cpSync(cluster.diskOf(victim), copy, { recursive: true });
  await node.start();
  await workload.more(150);
  await context.pause(15_000);
  await node.stop();
  rmSync(cluster.diskOf(victim), { recursive: true });
  cpSync(copy, cluster.diskOf(victim), { recursive: true });
  node.launch();
  const code = await endsOrServes(context, node);
  context.note(
    "the node with the old disk",
    code === undefined ? "serves" : `is refused: ${node.lastOutput.trim().slice(0, 160)}`,
  );
  await workload.more(20);
  await judgeAll(context, cluster, { workload, failuresMax: 0 });
}

/** A copy of a node's whole folder is started beside the node. */
async function cloned(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context);
  const workload = await new Workload(context, cluster).start();
  await workload.more(30);
  const clone = join(context.folder, "clone");
  cpSync(cluster.placeOf(victim), clone, { recursive: true });
  const second = cluster.process("clone", ["server", "node", "--data", clone, "--metadata", cluster.metadataUrl]);
  second.launch();
  const code = await second.endsWithin(refusalMs + 10_000);
  context.expect("expected", typeof code === "number" && code !== 0, `the clone serves: ${second.output.slice(-300)}`);
  context.note("the clone says", second.output.trim().split("\n").slice(0, 2).join(" ").slice(0, 200));
  await second.kill();
  await workload.more(20);
  context.expect("expected", cluster.node(victim).isRunning, "the original ended");
  await judgeAll(context, cluster, { workload, failuresMax: 0 });
}

/** The database is put back as it was some time ago, as from a backup; nodes are newer. */
async function olderDatabase(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context, { settings: { "collect.orphans-every": "1s" } });
  const first = await new Workload(context, cluster, { deletes: 0 }).start();
  await first.more(60);
  await first.stop();
  await cluster.metadata.stop();
  const place = join(cluster.placeOf("metadata"), "metadata");
  const copy = join(context.folder, "backup");
  cpSync(place, copy, { recursive: true });
  await cluster.metadata.start();
  const second = await new Workload(context, cluster).start();
  await second.more(60);
  await second.stop();
  await cluster.metadata.stop();
  rmSync(place, { recursive: true });
  cpSync(copy, place, { recursive: true });
  cluster.metadata.launch();
  const code = await endsOrServes(context, cluster.metadata);
  context.note(
    "the older database",
    code === undefined ? "serves" : `is refused: ${cluster.metadata.lastOutput.slice(0, 200)}`,
  );
  if (code !== undefined) return;
  await cluster.online();
  // Long enough for collection to find what it does not know of, if it were to.
  await context.pause(25_000);
  const client = cluster.client();
  const events = await client.operations.events({ after: -200, limit: 200 });
  const health = await client.operations.health();
  const told = [...events.map(({ message }) => message), ...health.claims.map(({ message }) => message)];
  const warned = told.find((it) => /restor|backup|older|no-delete|incarnation/i.test(it));
  context.expect(
    "expected",
    warned !== undefined,
    "nothing tells that the database is older than its nodes, and collection goes on",
  );
  await judgeAll(context, cluster, { workload: first });
}

/** The database is gone, the nodes hold data. */
async function missingDatabase(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context);
  const workload = await new Workload(context, cluster).start();
  await workload.more(30);
  await workload.stop();
  await cluster.metadata.stop();
  const place = join(cluster.placeOf("metadata"), "metadata");
  for (const what of ["database", "whole folder"] as const) {
    const away = join(context.folder, "away");
    const from = what === "database" ? join(place, "metadata.sqlite") : place;
    renameSync(from, away);
    cluster.metadata.launch();
    const code = await cluster.metadata.endsWithin(refusalMs);
    if (what === "database") {
      context.expect("expected", typeof code === "number" && code !== 0, "it made a new database for a known cluster");
      context.note("without its database it says", cluster.metadata.lastOutput.trim().slice(0, 200));
    } else if (code === undefined) {
      // An empty folder is a first start; the nodes must not take the new cluster for theirs.
      await context.pause(5000);
      const nodes = await cluster.client().nodes();
      context.expect(
        "expected",
        nodes.length === 0,
        `nodes of the old cluster joined a new one: ${nodes.map(({ node }) => node)}`,
      );
    }
    await cluster.metadata.kill();
    rmSync(from, { recursive: true, force: true });
    renameSync(away, from);
  }
  await cluster.metadata.start();
  await Promise.all(cluster.nodes.map(async (node) => (node.isRunning ? undefined : node.start())));
  await cluster.online();
  await judgeAll(context, cluster, { workload });
}

const onLoop = ["root", "loop devices", "ext4"] as const;

export const identityRows: readonly Row[] = [
  {
    id: "F21",
    tier: 0,
    title: "a second node on the same folder, a second metadata server on the same database",
    expected: "the second ends with a clear line; the first is untouched",
    needs: [],
    run: twoOnOneFolder,
  },
  {
    id: "F31",
    tier: 1,
    title: "the disk of a node is wiped",
    expected: "it never counts as the old disk; its chunks are copied back; nothing is lost",
    needs: [],
    run: wiped,
  },
  {
    id: "F32",
    tier: 1,
    title: "the disk of a node is not mounted when it starts",
    expected: "it ends with a clear line and makes nothing on the mount point",
    needs: onLoop,
    run: notMounted,
  },
  {
    id: "F33",
    tier: 1,
    title: "a node comes back with an older copy of its disk",
    expected: "deleted files stay deleted; what is missing is copied back",
    needs: [],
    run: staleDisk,
  },
  {
    id: "F34",
    tier: 1,
    title: "a clone of a node is started beside it",
    expected: "the clone is refused; the original goes on",
    needs: [],
    run: cloned,
  },
  {
    id: "F35",
    tier: 1,
    title: "the metadata is put back from an older copy",
    expected: "every file of that time is readable, nothing is collected, and the operator is told",
    needs: [],
    run: olderDatabase,
  },
  {
    id: "F36",
    tier: 1,
    title: "the metadata database is missing while nodes hold data",
    expected: "no new cluster is made over the old one",
    needs: [],
    run: missingDatabase,
  },
];
