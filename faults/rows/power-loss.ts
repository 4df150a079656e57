import { DiskImage, type FileSystem } from "../harness/disk-image.ts";
import { FaultCluster } from "../harness/fault-cluster.ts";
import { judgeAll } from "../harness/verdict.ts";
import { Workload } from "../harness/workload.ts";
import type { Row } from "../run/row.ts";
import type { RowContext } from "../run/row-context.ts";

const parts = ["metadata", "node-1", "node-2", "node-3"];

async function onDisks(
  context: RowContext,
  { system, of }: { system: FileSystem; of: readonly string[] },
): Promise<{ cluster: FaultCluster; disks: ReadonlyMap<string, DiskImage> }> {
  const disks = new Map<string, DiskImage>();
  for (const name of of) disks.set(name, await DiskImage.make(context, { name, system }));
  const placeOf = (name: string): string => disks.get(name)?.place ?? `${context.folder}/${name}`;
  return { cluster: await FaultCluster.start(context, { placeOf }), disks };
}

/** The power of everything goes in the middle of the load, several times. */
async function allLosePower(context: RowContext, system: FileSystem): Promise<void> {
  const { cluster, disks } = await onDisks(context, { system, of: parts });
  const workload = new Workload(context, cluster, { patienceMs: 30_000 });
  const cuts = 3;
  await workload.start();
  for (let cut = 0; cut < cuts; cut++) {
    await workload.more(context.between(20, 80));
    await context.pause(context.between(0, 500));
    await Promise.all([...disks.values()].map((disk) => disk.cutPower()));
    await cluster.killAll();
    for (const disk of disks.values()) await disk.restorePower();
    const ms = await cluster.startAll();
    context.note("start after power loss ms", ms);
    await cluster.online();
  }
  context.note("power cuts", cuts);
  await judgeAll(context, cluster, { workload });
}

/** The power of one node's disk goes; the node dies with it and comes back. */
async function oneLosesPower(context: RowContext, system: FileSystem): Promise<void> {
  const { cluster, disks } = await onDisks(context, { system, of: ["node-2"] });
  const disk = disks.get("node-2");
  const workload = await new Workload(context, cluster).start();
  for (let cut = 0; cut < 3; cut++) {
    await workload.more(context.between(20, 60));
    await disk?.cutPower();
    await context.pause(context.between(0, 300));
    await cluster.node("node-2").kill();
    await disk?.restorePower();
    await cluster.node("node-2").start();
    await cluster.online();
  }
  context.note("power cuts", 3);
  await workload.more(20);
  await judgeAll(context, cluster, { workload, failuresMax: 0 });
}

const systems = ["xfs", "ext4"] as const;

export const powerLossRows: readonly Row[] = systems.flatMap((system): Row[] => [
  {
    id: `F01 ${system}`,
    tier: 0,
    title: `power loss of all nodes and the metadata server at once, ${system === "ext4" ? "ext4 noauto_da_alloc,commit=300" : "XFS"}`,
    expected: "nothing acknowledged is lost; the rest is invisible or whole",
    needs: ["root", "loop devices", system],
    run: (context) => allLosePower(context, system),
  },
  {
    id: `F05 ${system}`,
    tier: 0,
    title: `power loss of one node, ${system === "ext4" ? "ext4 noauto_da_alloc,commit=300" : "XFS"}`,
    expected: "no operation fails; the node recovers what it had acknowledged",
    needs: ["root", "loop devices", system],
    run: (context) => oneLosesPower(context, system),
  },
]);
