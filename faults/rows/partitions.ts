import { FaultCluster } from "../harness/fault-cluster.ts";
import { RegisterClients } from "../harness/register-clients.ts";
import { TestNetwork } from "../harness/test-network.ts";
import { judgeAll } from "../harness/verdict.ts";
import { Workload } from "../harness/workload.ts";
import type { Row } from "../run/row.ts";
import type { RowContext } from "../run/row-context.ts";

const hosts = ["metadata", "node-1", "node-2", "node-3"];

interface Cut {
  readonly what: string;
  readonly ms: number;
  readonly make: (network: TestNetwork) => Promise<void>;
  /** Whether clients can still do everything. */
  readonly harmless: boolean;
}

/** A cluster on hosts of its own; one cut after the other while files and registers are used. */
async function partitioned(context: RowContext, cuts: readonly Cut[]): Promise<void> {
  const network = await TestNetwork.make(context, hosts);
  const cluster = await FaultCluster.start(context, {
    hostOf: (name) => network.addressOf(name),
    prefixOf: (name) => network.prefixOf(name),
    settings: { "repair.delay": "1h", "repair.delay-single": "1h" },
  });
  const workload = await new Workload(context, cluster, { patienceMs: 40_000 }).start();
  const registers = new RegisterClients(context, cluster, { clients: 4, keys: 4, bytes: 2000, patienceMs: 40_000 });
  await workload.more(30);
  for (const cut of cuts) {
    const before = failuresOf(workload);
    const calls = registers.run(["put", "create", "cas", "get", "delete"], { operations: 60 });
    await cut.make(network);
    await context.pause(cut.ms);
    if (cut.harmless) {
      const failed = failuresOf(workload) - before;
      context.expect("O11", failed === 0, `${failed} operations failed while ${cut.what}: ${workload.errors.at(-1)}`);
    }
    await network.heal();
    const spent = await context.becomes(() => cluster.online(60_000).then(() => true), 61_000);
    context.expect("O11", spent !== undefined, `not all nodes are online a minute after ${cut.what}`);
    context.note(`online again after: ${cut.what}, ms`, spent ?? "never");
    await calls;
    await workload.more(10);
  }
  registers.judge();
  await judgeAll(context, cluster, { workload });
}

function failuresOf({ counts }: Workload): number {
  return counts.unknown + counts.failed + counts.readsFailed;
}

const ends = ["clients", "metadata", "node-1", "node-3"];

const full: readonly Cut[] = [
  {
    what: "node-2 and the metadata server are cut apart",
    ms: 40_000,
    harmless: true,
    make: (network) => network.cut("node-2", "metadata"),
  },
  {
    what: "node-2 is alone",
    ms: 40_000,
    harmless: true,
    make: async (network) => {
      for (const other of ends) await network.cut("node-2", other);
    },
  },
  {
    what: "the metadata server is alone",
    ms: 30_000,
    harmless: false,
    make: async (network) => {
      for (const other of ["clients", "node-1", "node-2", "node-3"]) await network.cut("metadata", other);
    },
  },
];

const oneWay: readonly Cut[] = [
  {
    what: "node-2 hears nothing of the metadata server",
    ms: 40_000,
    harmless: true,
    make: (network) => network.cutOneWay("metadata", "node-2"),
  },
  {
    what: "the metadata server hears nothing of node-2",
    ms: 40_000,
    harmless: true,
    make: (network) => network.cutOneWay("node-2", "metadata"),
  },
  {
    what: "clients hear nothing of node-2",
    ms: 20_000,
    harmless: true,
    make: (network) => network.cutOneWay("node-2", "clients"),
  },
];

const bridges: readonly Cut[] = [
  {
    what: "node-1 and node-3 are cut apart",
    ms: 15_000,
    harmless: true,
    make: (network) => network.cut("node-1", "node-3"),
  },
  {
    what: "clients and node-2 are cut apart",
    ms: 30_000,
    harmless: true,
    make: (network) => network.cut("clients", "node-2"),
  },
];

/** The way between node-2 and the metadata server comes and goes every 2 s. */
async function flapping(context: RowContext): Promise<void> {
  const network = await TestNetwork.make(context, hosts);
  const cluster = await FaultCluster.start(context, {
    hostOf: (name) => network.addressOf(name),
    prefixOf: (name) => network.prefixOf(name),
  });
  const workload = await new Workload(context, cluster).start();
  await workload.more(20);
  for (let turn = 0; turn < 10; turn++) {
    await network.cut("node-2", "metadata");
    await context.pause(2000);
    await network.heal();
    await context.pause(2000);
  }
  const client = cluster.client();
  const { repair } = await client.operations.health();
  context.note("repair after flapping", repair.state);
  await workload.more(10);
  await judgeAll(context, cluster, { workload, failuresMax: 0 });
}

const needs = ["root", "network namespaces", "nftables"] as const;

export const partitionRows: readonly Row[] = [
  {
    id: "F24",
    tier: 1,
    title: "full partitions: a node and the metadata server, a node and all, the metadata server and all (namespaces)",
    expected: "what cannot be decided is refused; linearizable; all online within a minute after it",
    needs,
    run: (context) => partitioned(context, full),
  },
  {
    id: "F25",
    tier: 1,
    title: "partitions in one direction only (namespaces)",
    expected: "as with full ones",
    needs,
    run: (context) => partitioned(context, oneWay),
  },
  {
    id: "F26 bridge",
    tier: 1,
    title: "two nodes, or clients and a node, are cut apart while all others see both (namespaces)",
    expected: "reads and writes take the way that is left (the relay of the gateway)",
    needs,
    run: (context) => partitioned(context, bridges),
  },
  {
    id: "F26 flapping",
    tier: 1,
    title: "the way between a node and the metadata server comes and goes every 2 s (namespaces)",
    expected: "no livelock, no mass of copying, no failure",
    needs,
    run: flapping,
  },
];
