import { expect, test } from "vitest";
import { Scene } from "../testing/scene.ts";

/** Failures of other systems around nodes that are away; docs/simulation.md names them by number. */

test("2: a node that was away while files were removed brings none of them back", async () => {
  const scene = await Scene.open({ seed: 1 });
  for (let file = 0; file < 12; file++) await scene.put(`file-${file}`);
  scene.node(1).kill();
  scene.operator.leaveDown(scene.node(1), 900_000);
  for (let file = 0; file < 12; file++) await scene.do(scene.files.remove(`file-${file}`, "remove"));
  // Its groups live elsewhere by now, and what was in them is collected there.
  await scene.pass(800_000);
  expect(scene.destroyed.length).toBeGreaterThan(0);
  await scene.pass(200_000);
  expect(scene.node(1).node).toBeDefined();
  expect(await scene.verdict()).toBeUndefined();
}, 60_000);

test("7: while half of the nodes are late after a restart of everything, nothing is deleted or called lost", async () => {
  const scene = await Scene.open({ seed: 2 });
  const { world } = scene;
  for (let file = 0; file < 12; file++) await scene.put(`file-${file}`);
  for (let file = 0; file < 3; file++) await scene.do(scene.files.remove(`file-${file}`, "remove"));
  for (const node of scene.nodes) node.cutPower();
  world.metadata.kill();
  for (const late of [1, 2]) scene.operator.leaveDown(scene.node(late), 600_000);
  const from = world.timeline.now;
  await scene.pass(500_000);
  expect(scene.destroyed.filter(({ at }) => at > from)).toEqual([]);
  const lost = await world.metadata.database.read((sql) => sql.all("SELECT hash FROM chunk WHERE state = 2"));
  expect(lost).toEqual([]);
  await scene.pass(200_000);
  expect(await scene.verdict()).toBeUndefined();
}, 60_000);

test("16: heartbeats that are lost, late and doubled are never read as copies that are gone", async () => {
  const scene = await Scene.open({ seed: 3 });
  const { network } = scene.world;
  for (let file = 0; file < 10; file++) await scene.put(`file-${file}`);
  Object.assign(network.faults, { loss: 0.25, duplicate: 0.4, late: 0.3, lateMs: 60_000 });
  for (let round = 0; round < 20; round++) {
    await scene.do(scene.files.put(`more-${round}`, scene.contents.draw(4)));
    await scene.pass(15_000);
  }
  expect(await scene.verdict()).toBeUndefined();
}, 60_000);
