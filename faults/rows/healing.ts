import { rmSync } from "node:fs";
import { join } from "node:path";
import type { CairnClient } from "@cairn/client";
import { type Entry, isKind, type JobId, type MembershipChange, type NodeId } from "@cairn/protocol";
import { engineCrashPoints } from "@cairn/storage-node";
import type { CairnProcess } from "../harness/cairn-process.ts";
import { DiskImage } from "../harness/disk-image.ts";
import { FaultCluster } from "../harness/fault-cluster.ts";
import { run } from "../harness/shell.ts";
import { judgeAll } from "../harness/verdict.ts";
import { Workload } from "../harness/workload.ts";
import type { Row } from "../run/row.ts";
import type { RowContext } from "../run/row-context.ts";
import { writePoints } from "./sensitivity.ts";

const MiB = 1024 * 1024;
/** Everything that changes stored data in the background, as often as can be, and moves slow enough to be hit. */
const busySettings = {
  "collect.grace": "0",
  "collect.trash": "0",
  "collect.every": "1s",
  "collect.orphans-every": "1s",
  "repair.rate": "4MiB",
};
/** What is not reached by writing alone, the copying first. */
const points: readonly string[] = [
  "node.copy.after-fetch",
  "node.copy.after-adopt",
  ...engineCrashPoints.filter((point) => !writePoints.test(point)),
];
const pointMs = 20_000;

/** Moves of whole nodes and garbage, without end: what background jobs live on. */
class Upheaval {
  readonly counts = { drains: 0, garbage: 0, cancelled: 0 };
  readonly #context: RowContext;
  readonly #cluster: FaultCluster;
  readonly #client: CairnClient;
  #stopping = false;
  #running: Promise<unknown> = Promise.resolve();

  constructor(context: RowContext, cluster: FaultCluster) {
    this.#context = context;
    this.#cluster = cluster;
    this.#client = cluster.client();
    context.defer("end the upheaval", () => this.stop());
  }

  start(): this {
    this.#running = Promise.all([this.#moves(), this.#garbage(), this.#collections()]);
    return this;
  }

  /** Ends with no node being drained. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  async #moves(): Promise<void> {
    for (let turn = 0; !this.#over; turn++) {
      const node = this.#cluster.nodes[turn % this.#cluster.nodes.length]?.name as NodeId;
      const job = await this.#order({ kind: "drain", node });
      if (job !== undefined) await this.#ended(job);
      await this.#order({ kind: "undrain", node });
      this.counts.drains++;
    }
  }

  /** Most of what is written goes for good at once, so that segments are worth compacting. */
  async #garbage(): Promise<void> {
    for (let turn = 0; !this.#over; ) {
      // What was written under a lease is deleted only when that is closed, and it closes with its client.
      await using client = this.#cluster.client();
      for (const end = turn + 20; turn < end && !this.#over; turn++) {
        const bytes = Buffer.alloc(300_000, `${this.#context.seed} ${turn}`);
        const entry = await this.#attempt<Entry>(
          async () => (await client.upload({ bytes }, { name: `garbage-${turn}` })).entry,
        );
        if (entry && turn % 4 !== 0) await this.#attempt(() => client.delete(entry.id, { permanent: true }));
        this.counts.garbage++;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  /** Each ends with an order to the nodes to compact. */
  async #collections(): Promise<void> {
    while (!this.#over) {
      await this.#attempt(() => this.#client.operations.startCollection());
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }

  get #over(): boolean {
    return this.#stopping || this.#context.signal.aborted;
  }

  async #ended(job: JobId): Promise<void> {
    while (!this.#over) {
      const found = await this.#attempt(() => this.#client.operations.job(job));
      if (found && found.state !== "running") return;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    if (await this.#attempt(() => this.#client.operations.cancelJob(job))) this.counts.cancelled++;
  }

  /** Undefined also when it is refused because of what has failed just now. */
  async #order(change: MembershipChange): Promise<JobId | undefined> {
    for (let turn = 0; turn < 300; turn++) {
      try {
        return (await this.#client.operations.applyChange(change))?.id;
      } catch (error) {
        const refused = isKind(error, "conflict", "invalid");
        if (refused || (this.#over && change.kind === "drain")) return undefined;
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
    throw new Error(`${change.kind} could not be ordered for a minute`);
  }

  async #attempt<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
    return work().catch(() => undefined);
  }
}

/** A node dies at each point of copying, dropping, deleting and compacting, while all of these go on. */
async function nodeDiesInBackgroundWork(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context, { nodes: 4, settings: busySettings });
  const workload = await new Workload(context, cluster, { clients: 2, keysPerClient: 6, bytesMax: 200_000 }).start();
  await workload.more(40);
  const upheaval = new Upheaval(context, cluster).start();
  const reached: string[] = [];
  for (const point of points) {
    // A node that is being drained reaches few of them; another may.
    const first = context.between(0, 4);
    for (let attempt = 0; attempt < 4 && !reached.includes(point); attempt++) {
      const node = cluster.node(`node-${((first + attempt) % 4) + 1}`);
      await node.stop();
      if (await diesAt(context, node, { point, limitMs: pointMs })) reached.push(point);
      await cluster.online();
    }
  }
  await upheaval.stop();
  await cluster.online();
  const unreached = points.filter((point) => !reached.includes(point));
  context.note("drains", upheaval.counts.drains);
  context.note("points reached", `${reached.length} of ${points.length}`);
  if (unreached.length > 0) context.note("not reached", unreached.join(" "));
  // The rest is a matter of luck here; tests/cluster/crash-points.test.ts reaches all of them.
  const missed = unreached.filter((point) => /copy|drop|delete|compact/.test(point));
  context.expect("expected", missed.length === 0, `not reached: ${missed.join(" ")}`);
  await judgeAll(context, cluster, { workload, failuresMax: 0.02 });
}

/** Starts the node so that it dies at the point, and starts it again when it has. */
async function diesAt(
  context: RowContext,
  node: CairnProcess,
  { point, limitMs }: { point: string; limitMs: number },
): Promise<boolean> {
  node.launch({ CAIRN_CRASH_AT: point });
  const code = await node.endsWithin(limitMs);
  const died = code !== undefined;
  context.expect("expected", !died || code === "SIGKILL", `at ${point} ${node.name} ended with ${code}`);
  context.log(`${point}: ${died ? `${node.name} died there` : `not reached on ${node.name}`}`);
  await node.kill();
  await node.start();
  return died;
}

/** The metadata server dies before and after a commit that is drawn, while it moves, collects and serves. */
async function metadataDiesInBackgroundWork(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context, {
    nodes: 4,
    settings: { ...busySettings, "safe-mode.time": "1s" },
  });
  const workload = await new Workload(context, cluster, { keysPerClient: 6, bytesMax: MiB }).start();
  await workload.more(40);
  const upheaval = new Upheaval(context, cluster).start();
  const { metadata } = cluster;
  let deaths = 0;
  for (let turn = 0; turn < 10; turn++) {
    const point = `metadata.commit.${turn % 2 === 0 ? "before" : "after"}-durable`;
    await metadata.kill();
    metadata.launch({ CAIRN_CRASH_AT: `${point}:${context.between(20, 120)}` });
    if ((await metadata.endsWithin(pointMs)) === "SIGKILL") deaths++;
    await metadata.kill();
    await metadata.start();
    await cluster.online();
  }
  await context.pause(5000);
  await upheaval.stop();
  context.note("deaths in a commit", deaths);
  context.note("drains", upheaval.counts.drains);
  context.expect("expected", deaths >= 8, `it died in a commit ${deaths} times only`);
  await judgeAll(context, cluster, { workload, failuresMax: 0.1 });
}

/** Two of five nodes are gone for good at once while there are three copies. */
async function twoNodesDie(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context, {
    ...{ nodes: 5, copies: 3 },
    settings: { "storm.lost-disks": "60%", "storm.disks-up": "50%" },
  });
  const workload = await new Workload(context, cluster, { keysPerClient: 8, bytesMax: MiB }).start();
  await workload.more(80);
  const gone = ["node-2", "node-4"];
  const killedAt = performance.now();
  await Promise.all(gone.map((name) => cluster.node(name).kill()));
  await workload.more(60);
  const client = cluster.client();
  const isSafe = async (): Promise<string> => (await client.operations.health()).safe;
  const reduced = await context.becomes(async () => (await isSafe()) === "reduced", 60_000);
  context.expect("expected", reduced !== undefined, "health never said that copies are missing");
  const spent = await context.becomes(async () => (await isSafe()) === "yes", 150_000);
  context.expect("O11", spent !== undefined, "three copies did not come back by themselves");
  context.note("full redundancy after ms", performance.now() - killedAt);
  await workload.more(20);
  for (const name of gone) await cluster.node(name).start();
  await cluster.online();
  const { readsFailed } = workload.counts;
  context.expect("O11", readsFailed === 0, `${readsFailed} reads failed with one copy left`);
  await judgeAll(context, cluster, { workload, failuresMax: 0 });
}

/** The disk of a node fills up while groups of another are being moved to it. */
async function targetIsFull(context: RowContext): Promise<void> {
  const disks = new Map<string, DiskImage>();
  for (const name of ["node-1", "node-2", "node-3", "node-4"]) disks.set(name, await DiskImage.make(context, { name }));
  const placeOf = (name: string): string => disks.get(name)?.place ?? join(context.folder, name);
  const cluster = await FaultCluster.start(context, { placeOf, nodes: 4, settings: { "repair.rate": "2MiB" } });
  const workload = await new Workload(context, cluster).start();
  await workload.more(100);
  const client = cluster.client();
  const drain = await client.operations.applyChange({ kind: "drain", node: "node-1" as NodeId });
  const ballast = join(disks.get("node-2")?.place ?? "", "ballast");
  await run("sh", "-c", `dd if=/dev/zero of=${ballast} bs=1M status=none 2>/dev/null; true`);
  const state = async (): Promise<string> => (await client.operations.job(drain?.id as JobId)).state;
  const spent = await context.becomes(async () => (await state()) !== "running", 90_000);
  context.expect("expected", spent !== undefined && (await state()) === "done", `the drain is ${await state()}`);
  if (spent !== undefined) context.note("drain took ms", spent);
  context.expect("expected", cluster.node("node-2").isRunning, "the node ended when its disk was full");
  rmSync(ballast);
  await workload.more(20);
  await judgeAll(context, cluster, { workload, failuresMax: 0 });
}

export const healingRows: readonly Row[] = [
  {
    id: "F11 nodes",
    tier: 0,
    title: "kill -9 of storage nodes at each crash point of copying, dropping, deleting and compacting, during drains",
    expected: "nothing acknowledged is lost, nothing deleted comes back, the moves go on",
    needs: [],
    limitMs: 600_000,
    run: nodeDiesInBackgroundWork,
  },
  {
    id: "F11 metadata",
    tier: 0,
    title: "kill -9 of the metadata server before and after commits, during drains and collection",
    expected: "each decision holds whole or not at all; nothing is lost; the moves go on",
    needs: [],
    limitMs: 600_000,
    run: metadataDiesInBackgroundWork,
  },
  {
    id: "F15 two",
    tier: 0,
    title: "two of five nodes die at once, three copies",
    expected: "no read fails, and writes only until both are known to be gone; three copies again without any command",
    needs: [],
    run: twoNodesDie,
  },
  {
    id: "F39 full",
    tier: 1,
    title: "the disk of a node fills up while groups are moved to it",
    expected: "the moves go elsewhere, no operation fails, the drain ends",
    needs: ["root", "loop devices", "ext4"],
    run: targetIsFull,
  },
];
