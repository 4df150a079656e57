import type { GroupId } from "@cairn/protocol";
import { CopiesWatch } from "../oracle/copies-watch.ts";
import {
  change,
  committed,
  type Filled,
  filled,
  hasMoved,
  keepOpen,
  loseGroup,
  newMember,
  scrub,
  setRate,
  spoil,
} from "./filled-group.ts";
import type { Scenario } from "./scenario.ts";
import type { Scene } from "./scene.ts";

/** Groups whose members change while everything else goes on, and what comes late or is lost on the way. */

const commitsAtOnce = 8;

/** When a copy of the group is dropped, all its members must hold everything. */
function watchDrops(scene: Scene, group: GroupId): void {
  const watch = new CopiesWatch(scene.world);
  const { network } = scene.world;
  const { tap } = network;
  network.tap = (seen) => {
    tap?.(seen);
    if (isDropOf(group, seen) && seen.status < 300) void watch.now();
  };
}

function isDropOf(group: GroupId, { method = "DELETE", target }: { method?: string; target: string }): boolean {
  return method === "DELETE" && target.startsWith(`/groups/${group}/`);
}

/** Commits some of the chunks whenever a node tells what it holds of the group: in the middle of a comparison. */
function commitAtComparisons(scene: Scene, { group, lease, sent }: Filled): void {
  const { network, timeline } = scene.world;
  const left = [...sent];
  network.interference = {
    answer: ({ target }, body) => {
      const some = target === `/groups/${group}/inventory` ? left.splice(0, commitsAtOnce) : [];
      for (const [index, one] of some.entries()) {
        // A refusal is well: the client would send the chunk again.
        const commit = (): unknown => scene.raw.commit({ ...one, lease, name: one.chunk.id }).catch(() => undefined);
        timeline.after(index, commit);
      }
      return body;
    },
  };
}

export const moves: readonly Scenario[] = [
  {
    name: "a group that moves takes all its chunks along",
    options: { seed: 50, nodes: 3 },
    async tell(scene) {
      const it = await committed(scene, 10);
      new CopiesWatch(scene.world).start();
      await change(scene, it.leaving, "drain");
      await scene.untilRow(hasMoved, it.group);
    },
  },
  {
    name: "chunks that are committed while their group moves are on all its members",
    options: { seed: 2, nodes: 3 },
    async tell(scene) {
      scene.world.metadata.faults.slowStatement = 1;
      const it = await filled(scene, 120);
      new CopiesWatch(scene.world).start();
      commitAtComparisons(scene, it);
      await change(scene, it.leaving, "drain");
      await scene.untilRow(hasMoved, it.group);
    },
  },
  {
    name: "a new disk that loses what it got becomes no member without it",
    options: { seed: 52, nodes: 3 },
    async tell(scene) {
      const it = await committed(scene, 10);
      new CopiesWatch(scene.world).start();
      const { network } = scene.world;
      let lost = false;
      network.interference = {
        answer: ({ to, target }, body) => {
          const host = scene.nodes.find(({ machine }) => machine.name === to);
          if (target === "/copies" && host && !lost) {
            lost = true;
            loseGroup(host, it.group);
          }
          return body;
        },
      };
      await change(scene, it.leaving, "drain");
      await scene.untilRow(hasMoved, it.group);
      scene.must(lost, "the new disk has lost its copy");
    },
  },
  {
    name: "a disk that left its group keeps its copy until the new member has found what it lost",
    options: { seed: 53, nodes: 3 },
    async tell(scene) {
      const it = await committed(scene, 10);
      await change(scene, it.leaving, "drain");
      await scene.untilRow(hasMoved, it.group);
      // Just before the old copy may go, so that nobody else finds out first.
      await scene.pass(29_500);
      watchDrops(scene, it.group);
      loseGroup(await newMember(scene, it), it.group);
      await scene.pass(200_000);
      scene.must(
        scene.destroyed.some((one) => isDropOf(it.group, one)),
        "the old copy is dropped in the end",
      );
    },
  },
  {
    name: "a disk that left its group keeps its copy while chunks of the group wait for repair",
    options: { seed: 54, nodes: 3 },
    async tell(scene) {
      const it = await committed(scene, 10);
      await change(scene, it.leaving, "drain");
      await scene.untilRow(hasMoved, it.group);
      watchDrops(scene, it.group);
      await setRate(scene, 0);
      spoil(
        await newMember(scene, it),
        it.sent.map(({ chunk }) => chunk),
      );
      await scrub(scene);
      await scene.pass(200_000);
      scene.must(!scene.destroyed.some((one) => isDropOf(it.group, one)), "nothing is dropped while repair waits");
      await setRate(scene, 10_000_000);
    },
  },
  {
    name: "a commit with the receipt of a disk that has left the group since is refused",
    options: { seed: 55, nodes: 3 },
    async tell(scene) {
      const it = await filled(scene, 1);
      keepOpen(scene, it.lease);
      await change(scene, it.leaving, "drain");
      await scene.untilRow(hasMoved, it.group);
      for (const one of it.sent) {
        const order = { ...one, lease: it.lease, name: "late" };
        await scene.mustRefuse("a receipt of a disk that has left", scene.raw.commit(order));
      }
    },
  },
  {
    name: "a late order to drop a copy does not reach a disk that has joined its group again",
    options: { seed: 56, nodes: 3 },
    async tell(scene) {
      const it = await committed(scene, 10);
      watchDrops(scene, it.group);
      await change(scene, it.leaving, "drain");
      await scene.untilRow(hasMoved, it.group);
      const member = await newMember(scene, it);
      let held = false;
      scene.world.network.interference = {
        delayMs: (way) => {
          if (held || !isDropOf(it.group, way)) return 0;
          held = true;
          return 55_000;
        },
      };
      await change(scene, it.leaving, "undrain");
      await scene.world.until("the drop is on its way", 300_000, () => held);
      await change(scene, member, "drain");
      await scene.pass(200_000);
    },
  },
];
