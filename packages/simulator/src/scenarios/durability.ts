import type { Scenario } from "./scenario.ts";

/** Failures of other systems around what was acknowledged; docs/simulation.md names them by number. */

export const durability: readonly Scenario[] = [
  {
    name: "10: what is acknowledged survives a power cut of everything in that very moment",
    options: { seed: 21 },
    async tell(scene) {
      const { world } = scene;
      for (let round = 0; round < 12; round++) {
        const content = await scene.put(`file-${round}`);
        // The same bytes again: nothing is sent, so what was sent first must be safe.
        if (round % 3 === 0) await scene.put(`twin-${round}`, content);
        for (const node of scene.nodes) node.cutPower();
        world.metadata.kill();
        await scene.pass(90_000);
        await scene.do(scene.files.read(`file-${round}`));
      }
    },
  },
  {
    name: "10: a disk whose sync fails once acknowledges nothing that it lost",
    options: { seed: 22 },
    async tell(scene) {
      for (let round = 0; round < 12; round++) {
        const node = scene.node(1 + (round % 4));
        for (const { faults } of node.disks) faults.syncError = 0.5;
        await scene.do(scene.files.put(`file-${round}`, scene.contents.draw(4)));
        for (const { faults } of node.disks) faults.syncError = 0;
        node.cutPower();
        await scene.pass(30_000);
      }
    },
  },
  {
    name: "15: while members come, go and get more copies, no write is lost and none is hidden",
    options: { seed: 23 },
    async tell(scene) {
      const { world } = scene;
      const operations = world.metadata.opened?.operations;
      const change = async (it: Parameters<NonNullable<typeof operations>["applyChange"]>[0]): Promise<void> => {
        const applied = world.metadata.opened?.operations.applyChange(it).then(() => undefined);
        await scene.do(applied ?? Promise.resolve()).catch((error: Error) => world.log.note("operator", error.message));
      };
      const writeOn = async (rounds: number): Promise<void> => {
        for (let round = 0; round < rounds; round++) {
          await scene.do(scene.files.put(`file-${round % 9}`, scene.contents.draw(4)));
          await scene.do(scene.others.read(`file-${round % 9}`));
          await scene.pass(1500);
        }
      };
      await writeOn(10);
      const leaving = scene.node(1).node?.node;
      if (leaving) await change({ kind: "drain", node: leaving });
      await writeOn(10);
      world.addNode().start();
      await change({ kind: "change-copies", drive: scene.drive.id, copies: 3 });
      await writeOn(10);
      await change({ kind: "rebalance" });
      scene.node(2).cutPower();
      await writeOn(10);
      await change({ kind: "change-copies", drive: scene.drive.id, copies: 2 });
      await writeOn(10);
    },
  },
];
