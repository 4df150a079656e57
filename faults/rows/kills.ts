import { FaultCluster } from "../harness/fault-cluster.ts";
import { judgeAll } from "../harness/verdict.ts";
import { Workload } from "../harness/workload.ts";
import type { Row } from "../run/row.ts";
import type { RowContext } from "../run/row-context.ts";

const recoverMs = 10_000;

/** kill -9 at random moments of one part after the other, each time started again after a while. */
async function killAtRandom(
  context: RowContext,
  { part, kills, failuresMax }: { part: "node" | "metadata"; kills: number; failuresMax: number },
): Promise<void> {
  const cluster = await FaultCluster.start(context);
  const workload = await new Workload(context, cluster).start();
  await workload.more(20);
  let slowest = 0;
  for (let turn = 0; turn < kills; turn++) {
    const nodes = cluster.nodes;
    const victim =
      part === "metadata" ? cluster.metadata : (nodes[context.between(0, nodes.length)] ?? cluster.metadata);
    await context.pause(context.between(200, 3000));
    await victim.kill();
    await context.pause(context.between(0, 1500));
    const begin = performance.now();
    await victim.start();
    slowest = Math.max(slowest, performance.now() - begin);
    // One copy at a time may be away: the next victim waits until this one takes part again.
    if (part === "node") await cluster.online();
  }
  context.note("kills", kills);
  context.note("slowest start ms", slowest);
  context.expect("expected", slowest < recoverMs, `a start took ${Math.round(slowest)} ms after kill -9`);
  await workload.more(10);
  await judgeAll(context, cluster, { workload, failuresMax });
}

export const killRows: readonly Row[] = [
  {
    id: "F02",
    tier: 0,
    title: "kill -9 of storage nodes at random under load",
    expected: "nothing acknowledged is lost, no operation fails, a node serves again within 10 s",
    needs: [],
    quick: true,
    run: (context) => killAtRandom(context, { part: "node", kills: 4, failuresMax: 0 }),
  },
  {
    id: "F03",
    tier: 0,
    title: "kill -9 of the metadata server at random under load",
    expected:
      "each transaction happens whole or not at all; what was begun goes on, what begins meanwhile waits or is refused",
    needs: [],
    run: (context) => killAtRandom(context, { part: "metadata", kills: 8, failuresMax: 0.1 }),
  },
  {
    id: "F15",
    tier: 0,
    title: "a storage node is killed and stays down under load",
    expected: "no read and no write fails; redundancy is full again without any command",
    needs: [],
    run: nodeStaysDown,
  },
  {
    id: "F22",
    tier: 0,
    title: "rolling restart by SIGTERM under load",
    expected:
      "no operation fails, neither while nodes restart nor while the only metadata server does; each process ends with 0 within 30 s",
    needs: [],
    run: rollingRestart,
  },
];

async function nodeStaysDown(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context, { nodes: 4 });
  const workload = await new Workload(context, cluster).start();
  await workload.more(60);
  const killedAt = performance.now();
  await cluster.node("node-2").kill();
  await workload.more(60);
  const client = cluster.client();
  const reduced = await context.becomes(async () => (await client.operations.health()).safe === "reduced", 60_000);
  context.expect("expected", reduced !== undefined, "health never said that copies are missing");
  const spent = await context.becomes(async () => (await client.operations.health()).safe === "yes", 150_000);
  context.expect("O11", spent !== undefined, "redundancy did not come back by itself");
  context.note("full redundancy after ms", performance.now() - killedAt);
  await workload.more(20);
  await cluster.node("node-2").start();
  await cluster.online();
  await judgeAll(context, cluster, { workload, failuresMax: 0 });
}

async function rollingRestart(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context);
  const workload = await new Workload(context, cluster).start();
  await workload.more(30);
  for (const part of [...cluster.nodes, cluster.metadata]) {
    const { counts } = workload;
    const wrong = counts.unknown + counts.failed + counts.readsFailed;
    if (part === cluster.metadata)
      context.expect("O11", wrong === 0, `${wrong} operations failed: ${workload.errors.slice(-3).join(" · ")}`);
    const begin = performance.now();
    const code = await part.stop();
    const ms = performance.now() - begin;
    context.expect("expected", code === 0, `${part.name} ended with ${code}`);
    context.expect("expected", ms < 30_000, `${part.name} took ${Math.round(ms)} ms to stop`);
    await part.start();
    await cluster.online();
    if (part === cluster.metadata) {
      context.note("metadata server stops in ms", ms);
      context.note("and starts in ms", performance.now() - begin - ms);
    }
    // As an operator does it: the next one when this one has taken part for a while.
    await context.pause(3000);
    await workload.more(15);
  }
  await judgeAll(context, cluster, { workload, failuresMax: 0 });
}
