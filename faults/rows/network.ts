import { FaultCluster } from "../harness/fault-cluster.ts";
import { Injection } from "../harness/strace.ts";
import { judgeAll } from "../harness/verdict.ts";
import { Workload } from "../harness/workload.ts";
import type { FaultMode } from "../proxy/fault-mode.ts";
import type { Row } from "../run/row.ts";
import type { RowContext } from "../run/row-context.ts";

const MiB = 1024 * 1024;

/** One part is frozen for a while and goes on as if nothing had been. */
async function frozen(context: RowContext, { part, ms }: { part: string; ms: number }): Promise<void> {
  const cluster = await FaultCluster.start(context, {
    settings: { "repair.delay": "1h", "repair.delay-single": "1h" },
  });
  const workload = await new Workload(context, cluster).start();
  await workload.more(30);
  const victim = part === "metadata" ? cluster.metadata : cluster.node(part);
  context.defer("thaw", () => victim.thaw());
  for (const pauseMs of [1000, ms]) {
    victim.freeze();
    await context.pause(pauseMs);
    victim.thaw();
    await workload.more(20);
  }
  await cluster.online();
  context.note("frozen for ms", ms);
  await judgeAll(context, cluster, { workload, failuresMax: part === "metadata" ? 0.1 : 0 });
}

/** What the network does to the connections of one node, or of the metadata server, one thing after the other. */
async function badNetwork(
  context: RowContext,
  { modes, of, failuresMax, ms = 8000 }: { modes: readonly FaultMode[]; of: string; failuresMax: number; ms?: number },
): Promise<void> {
  const cluster = await FaultCluster.start(context, {
    proxied: true,
    settings: { "repair.delay": "1h", "repair.delay-single": "1h" },
  });
  const workload = await new Workload(context, cluster, { bytesMax: 4 * MiB }).start();
  await workload.more(20);
  const proxy = cluster.proxy(of);
  let injected = 0;
  for (const mode of modes) {
    proxy.mode = mode;
    await context.pause(ms);
    injected += proxy.injected;
    context.expect("expected", proxy.injected > 0, `${mode.kind} hit nothing`);
    proxy.mode = { kind: "pass" };
    await workload.more(10);
  }
  context.note("faults injected", injected);
  context.note("modes", modes.map(({ kind }) => kind).join(" "));
  await judgeAll(context, cluster, { workload, failuresMax });
}

/** A node whose disk answers late: the others are not slowed down. */
async function slowDisk(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context, { nodes: 4 });
  const workload = await new Workload(context, cluster, { bytesMax: 300_000 }).start();
  await workload.more(50);
  const idle = await percentile(context, workload, 60);
  const injection = await Injection.into(
    context,
    cluster.node("node-2").pid,
    "fdatasync:delay_enter=2000000",
    "fsync:delay_enter=2000000",
  );
  await workload.more(20);
  const slow = await percentile(context, workload, 60);
  const health = await fetch(`${cluster.node("node-2").url}/healthz`, { signal: AbortSignal.timeout(5000) }).then(
    ({ status }) => status,
    (error: Error) => error.message,
  );
  context.expect("O11", health === 200, `the slow node's /healthz: ${health}`);
  await injection.end();
  context.note("p90 of changes before, ms", idle);
  context.note("p90 of changes with the slow disk, ms", slow);
  context.expect(
    "O11",
    slow <= Math.max(2 * idle, 1000),
    `p90 went from ${Math.round(idle)} to ${Math.round(slow)} ms`,
  );
  await judgeAll(context, cluster, { workload, failuresMax: 0 });
}

/** The 90th percentile of the next changes, ms. */
async function percentile(context: RowContext, workload: Workload, changes: number): Promise<number> {
  const from = workload.ledger.entries.length;
  await workload.more(changes);
  const times = workload.ledger.entries
    .slice(from)
    .filter(({ outcome }) => outcome === "ok")
    .map(({ begin, end }) => end - begin)
    .sort((a, b) => a - b);
  context.throwIfStopped();
  return times[Math.floor(times.length * 0.9)] ?? 0;
}

const toClient = "to-client" as const;
const toServer = "to-server" as const;
const calm = "no operation fails; deadlines and the other copy; never a short body that looks complete";

export const networkRows: readonly Row[] = [
  {
    id: "F23 node",
    tier: 1,
    title: "a storage node is frozen for 1 s and for 15 s (SIGSTOP), then goes on",
    expected: "callers time out and go elsewhere; late writes do no harm",
    needs: [],
    run: (context) => frozen(context, { part: "node-2", ms: 15_000 }),
  },
  {
    id: "F23 metadata",
    tier: 1,
    title: "the metadata server is frozen for 1 s and for 20 s (SIGSTOP), then goes on",
    expected: "what was begun goes on; what was acknowledged stays",
    needs: [],
    run: (context) => frozen(context, { part: "metadata", ms: 20_000 }),
  },
  {
    id: "F27 node",
    tier: 1,
    title: "connections of one node: reset in the middle, half-open, cut short, 1 byte a second (proxy)",
    expected: calm,
    needs: [],
    run: (context) =>
      badNetwork(context, {
        of: "node-2",
        failuresMax: 0,
        modes: [
          { kind: "reset-after", bytes: 100_000, direction: toClient },
          { kind: "reset-after", bytes: 50_000, direction: toServer },
          { kind: "truncate-after", bytes: 70_000, direction: toClient },
          { kind: "blackhole" },
          { kind: "throttle", bytesPerSecond: 20 },
          { kind: "refuse" },
        ],
      }),
  },
  {
    id: "F27 metadata",
    tier: 1,
    title: "connections of the metadata server: reset, cut short, half-open for a moment (proxy)",
    expected: "calls are repeated and have one effect; never a wrong answer",
    needs: [],
    run: (context) =>
      badNetwork(context, {
        of: "metadata",
        failuresMax: 0.2,
        ms: 4000,
        modes: [
          { kind: "reset-after", bytes: 3000, direction: toClient, times: 30 },
          { kind: "truncate-after", bytes: 700, direction: toClient, times: 30 },
          { kind: "reset-after", bytes: 1000, direction: toServer, times: 30 },
          { kind: "blackhole" },
          { kind: "one-way", drop: toClient },
        ],
      }),
  },
  {
    id: "F28",
    tier: 1,
    title: "a bit flips on the way to and from nodes and the metadata server (proxy)",
    expected: "the receiver's checksum finds it; the call is repeated",
    needs: [],
    run: flipsInTransit,
  },
  {
    id: "F29",
    tier: 1,
    title: "each sync of one node takes 2 s longer (strace)",
    expected: "the node gets fewer writes; p90 of all changes at most doubles",
    needs: ["root", "strace"],
    run: slowDisk,
  },
  {
    id: "F30",
    tier: 1,
    title: "a slow network: 1 Mbit/s, then 200 ± 100 ms for each piece, for one node (proxy)",
    expected: "deadlines scale, nothing storms, operations go on",
    needs: [],
    run: (context) =>
      badNetwork(context, {
        of: "node-2",
        failuresMax: 0,
        ms: 12_000,
        modes: [
          { kind: "throttle", bytesPerSecond: 125_000 },
          { kind: "latency", ms: 100, jitterMs: 200 },
        ],
      }),
  },
];

/** Flips at many places of requests and answers, of headers and bodies. */
async function flipsInTransit(context: RowContext): Promise<void> {
  const cluster = await FaultCluster.start(context, { proxied: true });
  const workload = await new Workload(context, cluster, { patienceMs: 20_000 }).start();
  await workload.more(20);
  let injected = 0;
  for (let turn = 0; turn < 60; turn++) {
    // Answers of the metadata server carry no checksum of their own: TCP's has to do there, as everywhere on the web.
    const proxy = cluster.proxy(`node-${context.between(1, 4)}`);
    const direction = context.chance() < 0.5 ? toClient : toServer;
    proxy.mode = { kind: "flip-byte", at: context.between(300, 60_000), direction, times: 2 };
    proxy.cut();
    await workload.more(2);
    injected += proxy.injected;
    proxy.mode = { kind: "pass" };
  }
  context.note("faults injected", injected);
  context.expect("expected", injected > 20, `only ${injected} bits were flipped`);
  await judgeAll(context, cluster, { workload, failuresMax: 0.05 });
}
