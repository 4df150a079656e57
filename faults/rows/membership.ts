import type { JobId, NodeId } from "@cairn/protocol";
import { FaultCluster } from "../harness/fault-cluster.ts";
import { judgeAll } from "../harness/verdict.ts";
import { Workload } from "../harness/workload.ts";
import type { Row } from "../run/row.ts";
import type { RowContext } from "../run/row-context.ts";

/** Nodes are added, drained and removed and data is moved, while clients work and processes are killed. */
async function changingMembers(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context, { nodes: 4, settings: { "repair.rate": "1MiB" } });
  const client = cluster.client();
  const workload = await new Workload(context, cluster).start();
  await workload.more(60);
  await cluster.addNode("node-5");
  await cluster.online();

  const drain = await client.operations.applyChange({ kind: "drain", node: "node-2" as NodeId });
  await killSome(context, cluster, ["node-3", "metadata", "node-5"]);
  await ended(context, cluster, { what: "drain", job: drain?.id });
  const removal = await client.operations.applyChange({ kind: "remove", node: "node-2" as NodeId });
  await ended(context, cluster, { what: "remove", job: removal?.id });
  await cluster.node("node-2").stop();
  cluster.nodes.splice(cluster.nodes.indexOf(cluster.node("node-2")), 1);

  const rebalance = await client.operations.applyChange({ kind: "rebalance" });
  await killSome(context, cluster, ["node-4", "node-1"]);
  await ended(context, cluster, { what: "rebalance", job: rebalance?.id });
  await workload.more(20);
  await judgeAll(context, cluster, { workload, failuresMax: 0.05 });
}

async function killSome(context: RowContext, cluster: FaultCluster, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await context.pause(context.between(500, 3000));
    const part = name === "metadata" ? cluster.metadata : cluster.node(name);
    await part.kill();
    await part.start();
    await cluster.online();
  }
}

async function ended(
  context: RowContext,
  cluster: FaultCluster,
  { what, job }: { what: string; job: JobId | undefined },
): Promise<void> {
  const client = cluster.client();
  const begin = performance.now();
  const done = await context.becomes(
    async () => (await client.operations.job(job as JobId)).state !== "running",
    120_000,
  );
  const { state, message } = await client.operations.job(job as JobId);
  context.note(`${what} took ms`, performance.now() - begin);
  context.expect("expected", done !== undefined && state === "done", `the job ${what} is ${state}: ${message}`);
}

export const membershipRows: readonly Row[] = [
  {
    id: "F39",
    tier: 1,
    title: "add, drain, remove, rebalance under load while processes are killed",
    expected: "nothing is lost; every job ends; all copies at every step",
    needs: [],
    limitMs: 600_000,
    run: changingMembers,
  },
];
