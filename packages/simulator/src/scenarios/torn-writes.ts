import { damagedPlaces } from "../oracle/copies.ts";
import { CopiesWatch } from "../oracle/copies-watch.ts";
import { type NodeHost, segmentBytes } from "../world/node-host.ts";
import { committed, type Filled, filled, keepOpen } from "./filled-group.ts";
import type { Scenario } from "./scenario.ts";
import type { Scene } from "./scene.ts";

/** Power that goes in the middle of a write, at the worst places. */

const [largeBytes, smallBytes] = [4096, 512];
/** What a record has beside such a chunk. */
const overheadBytes = 112;

/** Bytes of the segment of the group that grows on a machine. */
function segmentSize(host: NodeHost, { group }: Filled): number {
  const platter = host.disks[0]?.platter;
  const segments = (platter?.paths() ?? []).filter((path) => /^g\/\d+\/\d+\.seg$/.test(path));
  const last = segments
    .filter((path) => path.startsWith(`g/${group}/`))
    .sort()
    .at(-1);
  return (last === undefined ? undefined : platter?.file(last)?.length) ?? 0;
}

/** Sends a chunk; a node that is not there, or ends meanwhile, costs it. */
async function send(scene: Scene, { lease }: Filled, bytes: number): Promise<void> {
  await scene.do(
    scene.raw.send(lease, scene.raw.newChunk(bytes)).then(
      () => undefined,
      () => undefined,
    ),
  );
}

/** A write is torn near the end of a segment, a short one takes its place, and the next begins another segment. */
async function tearAtTheEnd(scene: Scene, it: Filled): Promise<void> {
  const host = it.staying;
  // Room for a large record, and not for a small one and a large one behind it.
  const enough = segmentBytes - largeBytes - smallBytes - 2 * overheadBytes;
  for (let round = 0; round < 200 && segmentSize(host, it) <= enough; round++) {
    await send(scene, it, segmentSize(host, it) <= enough - largeBytes - overheadBytes ? largeBytes : smallBytes);
  }
  const spring = (node: NodeHost): void => {
    node.cutPower();
    scene.operator.leaveDown(node, 500);
  };
  scene.world.trap = { point: "engine.append.before-sync", node: host, spring };
  await send(scene, it, largeBytes);
  await scene.pass(5000);
  await send(scene, it, smallBytes);
  await send(scene, it, largeBytes);
}

export const tornWrites: readonly Scenario[] = [
  {
    name: "what is left of a torn write is never taken for damage",
    options: { seed: 81, nodes: 2 },
    async tell(scene) {
      const it = await filled(scene, 1);
      keepOpen(scene, it.lease);
      for (let round = 0; round < 8; round++) await tearAtTheEnd(scene, it);
      const places = await damagedPlaces(scene.world);
      scene.must(places.length === 0, `there is no damage on ${places.join(", ")}`);
    },
  },
  {
    name: "a power cut right after a compaction costs no record",
    options: { seed: 82, nodes: 2 },
    async tell(scene) {
      const it = await committed(scene, 240);
      for (const index of it.sent.keys()) {
        if (index % 2 === 0) await scene.do(scene.files.remove(`file-${index}`, "remove"));
      }
      await scene.do(scene.raw.close(it.lease));
      const watch = new CopiesWatch(scene.world);
      let cuts = 0;
      const lay = (): void => {
        const spring = (node: NodeHost): void => {
          cuts++;
          node.cutPower();
          scene.operator.leaveDown(node, 1000);
          void watch.now();
          lay();
        };
        scene.world.trap = { point: "engine.compact.after-checkpoint", spring };
      };
      lay();
      await scene.world.until("segments are compacted", 600_000, () => cuts >= 4);
      scene.world.trap = undefined;
    },
  },
];
