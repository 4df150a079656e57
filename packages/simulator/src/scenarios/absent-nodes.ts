import type { Scenario } from "./scenario.ts";

/** Failures of other systems around nodes that are away; docs/simulation.md names them by number. */

export const absentNodes: readonly Scenario[] = [
  {
    name: "2: a node that was away while files were removed brings none of them back",
    options: { seed: 1 },
    async tell(scene) {
      for (let file = 0; file < 12; file++) await scene.put(`file-${file}`);
      scene.node(1).kill();
      scene.operator.leaveDown(scene.node(1), 900_000);
      for (let file = 0; file < 12; file++) await scene.do(scene.files.remove(`file-${file}`, "remove"));
      // Its groups live elsewhere by now, and what was in them is collected there.
      await scene.pass(800_000);
      scene.must(scene.destroyed.length > 0, "something is destroyed");
      await scene.pass(200_000);
      scene.must(scene.node(1).node !== undefined, "the node is back");
    },
  },
  {
    name: "7: while half of the nodes are late after a restart of everything, nothing is deleted or called lost",
    options: { seed: 2 },
    async tell(scene) {
      const { world } = scene;
      for (let file = 0; file < 12; file++) await scene.put(`file-${file}`);
      for (let file = 0; file < 3; file++) await scene.do(scene.files.remove(`file-${file}`, "remove"));
      for (const node of scene.nodes) node.cutPower();
      world.metadata.kill();
      for (const late of [1, 2]) scene.operator.leaveDown(scene.node(late), 600_000);
      const from = world.timeline.now;
      await scene.pass(500_000);
      scene.must(
        scene.destroyed.every(({ at }) => at <= from),
        "nothing is destroyed while nodes are late",
      );
      const lost = await world.metadata.database.read((sql) => sql.all("SELECT hash FROM chunk WHERE state = 2"));
      scene.must(lost.length === 0, "nothing is called lost while nodes are late");
      await scene.pass(200_000);
    },
  },
  {
    name: "16: heartbeats that are lost, late and doubled are never read as copies that are gone",
    options: { seed: 3 },
    async tell(scene) {
      const { network } = scene.world;
      for (let file = 0; file < 10; file++) await scene.put(`file-${file}`);
      Object.assign(network.faults, { loss: 0.25, duplicate: 0.4, late: 0.3, lateMs: 60_000 });
      for (let round = 0; round < 20; round++) {
        await scene.do(scene.files.put(`more-${round}`, scene.contents.draw(4)));
        await scene.pass(15_000);
      }
    },
  },
];
