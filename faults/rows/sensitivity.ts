import { engineCrashPoints } from "@cairn/storage-node";
import { DiskImage } from "../harness/disk-image.ts";
import { FaultCluster } from "../harness/fault-cluster.ts";
import { Injection } from "../harness/strace.ts";
import { judgeAll, readEverything, servesAgain } from "../harness/verdict.ts";
import { Workload } from "../harness/workload.ts";
import type { Row } from "../run/row.ts";
import type { RowContext } from "../run/row-context.ts";

/** Crash points of a storage node that writing alone reaches. */
export const writePoints: RegExp = /^engine\.(append|open|checkpoint)\./;

/** The power goes while syncs of all nodes do nothing: acknowledged data must be lost, and the ledger must see it. */
async function syncsThatLie(context: RowContext): Promise<void> {
  const disks = new Map<string, DiskImage>();
  const names = ["node-1", "node-2", "node-3"];
  for (const name of names) disks.set(name, await DiskImage.make(context, { name, system: "xfs" }));
  const cluster = await FaultCluster.start(context, {
    placeOf: (name) => disks.get(name)?.place ?? `${context.folder}/${name}`,
  });
  const workload = await new Workload(context, cluster, { deletes: 0, patienceMs: 20_000 }).start();
  const lies = ["fsync", "fdatasync"].map((call) => `${call}:retval=0`);
  const injections = await Promise.all(cluster.nodes.map(({ pid }) => Injection.into(context, pid, ...lies)));
  await workload.more(40);
  await workload.stop();
  await Promise.all([...disks.values()].map((disk) => disk.cutPower()));
  await Promise.all(cluster.nodes.map((node) => node.kill()));
  await Promise.all(injections.map((injection) => injection.end()));
  for (const disk of disks.values()) await disk.restorePower();
  await cluster.startAll();
  await cluster.online();
  await servesAgain(context, cluster.client(), workload);
  await readEverything(context, cluster.client(), workload);
  // Here the failures are what is wanted: take them out of the record and ask that there were some, and no wrong byte.
  const seen = context.failures.splice(0);
  const wrongBytes = seen.filter((failure) => /differs|no payload|foreign/.test(failure));
  context.note("failures that the ledger saw", seen.length);
  context.note("acknowledged changes lost", 0);
  context.expect("expected", seen.length > 0, "no loss was noticed though no sync was done");
  context.expect("O1", wrongBytes.length === 0, wrongBytes.join("; "));
}

/** Every crash point of a storage node, in a real node under load: it dies there and is started again. */
async function crashPoints(context: RowContext, points: readonly string[]): Promise<void> {
  const cluster = await FaultCluster.start(context, {
    settings: { "collect.grace": "1s", "collect.trash": "1s", "collect.every": "1s" },
  });
  const workload = await new Workload(context, cluster, { deletes: 0.2 }).start();
  await workload.more(20);
  const node = cluster.node("node-2");
  const unreached: string[] = [];
  for (const point of points) {
    await node.stop();
    node.launch({ CAIRN_CRASH_AT: `${point}:${/append/.test(point) ? context.between(1, 4) : 1}` });
    const code = await node.endsWithin(25_000);
    if (code === undefined) {
      unreached.push(point);
      await node.kill();
    } else
      context.expect(
        "expected",
        code === "SIGKILL",
        `at ${point} the node ended with ${code}: ${node.lastOutput.slice(-200)}`,
      );
    await node.start();
    await cluster.online();
    await workload.more(5);
  }
  context.note("points reached", `${points.length - unreached.length} of ${points.length}`);
  context.expect("expected", unreached.length === 0, `not reached: ${unreached.join(" ")}`);
  await judgeAll(context, cluster, { workload, failuresMax: 0 });
}

export const sensitivityRows: readonly Row[] = [
  {
    id: "F02 points",
    tier: 0,
    title: "kill -9 of a storage node at each crash point of its write path under load",
    expected: "nothing acknowledged is lost, no operation fails, the node starts again",
    needs: [],
    limitMs: 900_000,
    run: (context) =>
      crashPoints(
        context,
        engineCrashPoints.filter((point) => writePoints.test(point)),
      ),
  },
  {
    id: "F07",
    tier: 0,
    title: "power loss of all nodes whose syncs do nothing (strace): do these oracles notice?",
    expected: "the ledger sees the loss; even then no wrong byte is read",
    needs: ["root", "loop devices", "xfs", "strace"],
    run: syncsThatLie,
  },
];
