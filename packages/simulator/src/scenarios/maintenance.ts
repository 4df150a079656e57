import { committed, type Sent } from "./filled-group.ts";
import type { Scenario } from "./scenario.ts";
import type { Scene } from "./scene.ts";

/** What the leader of maintenance must not conclude from what it does not hear, or hears wrongly. */

/** Cuts the way to a machine but not the way back: it is heard and hears nothing. */
function deafen(scene: Scene, name: string): void {
  scene.world.network.cuts.cut("metadata", name);
}

async function sendOne(scene: Scene): Promise<Sent & { readonly lease: Awaited<ReturnType<Scene["raw"]["open"]>> }> {
  const lease = await scene.do(scene.raw.open());
  const chunk = scene.raw.newChunk();
  return { lease, chunk, told: await scene.do(scene.raw.send(lease, chunk)) };
}

/** Commits a chunk and closes its lease in the very moment in which a node's inventory with it is being compared. */
async function commitAtInventories(scene: Scene, rounds: number): Promise<void> {
  const { network, timeline, will } = scene.world;
  const waiting: Awaited<ReturnType<typeof sendOne>>[] = [];
  network.interference = {
    answer: ({ target }, body) => {
      const one = target.endsWith("/inventory") ? waiting.pop() : undefined;
      if (one) {
        timeline.after(will.fraction() * 4, () => {
          // The second is sent without waiting for the first one's answer.
          scene.raw.commit({ ...one, name: one.chunk.id }).catch(() => undefined);
          timeline.after(0.5, () => void scene.raw.close(one.lease).catch(() => undefined));
        });
      }
      return body;
    },
  };
  for (let round = 0; round < rounds; round++) {
    while (waiting.length < 8) waiting.push(await sendOne(scene));
    await scene.pass(5000);
    for (const { lease } of waiting) await scene.do(scene.raw.renew(lease)).catch(() => undefined);
  }
  network.interference = {};
}

export const maintenance: readonly Scenario[] = [
  {
    name: "while machines are away that went together, nothing is copied in their place",
    options: { seed: 71, nodes: 6 },
    async tell(scene) {
      const it = await committed(scene, 8);
      let copies = 0;
      const { tap } = scene.world.network;
      scene.world.network.tap = (seen) => {
        tap?.(seen);
        if (seen.target === "/copies" && seen.status < 300) copies++;
      };
      const other = scene.nodes.find((node) => node !== it.leaving && node !== it.staying);
      for (const away of [it.leaving, ...(other ? [other] : [])]) {
        away.kill();
        scene.operator.leaveDown(away, 400_000);
      }
      await scene.pass(380_000);
      scene.must(copies === 0, "nothing is copied while many machines are away");
    },
  },
  {
    name: "an inventory that is not all of it makes nobody miss a chunk",
    options: { seed: 72 },
    async tell(scene) {
      const it = await committed(scene, 8);
      const { network } = scene.world;
      let cut = 0;
      network.interference = {
        answer: ({ target }, body) => {
          if (target !== `/groups/${it.group}/inventory`) return body;
          const page = JSON.parse(Buffer.from(body).toString()) as { chunks: unknown[] };
          cut += page.chunks.splice(0, 1).length;
          return Buffer.from(JSON.stringify(page));
        },
      };
      // What is not committed makes the copies differ from the table, so that they are looked at.
      await scene.do(scene.raw.send(it.lease, scene.raw.newChunk()));
      await scene.pass(240_000);
      const missed = await scene.rows("SELECT 1 AS found FROM event WHERE kind = 'copies.missing'");
      scene.must(cut > 0, "an inventory is asked for");
      scene.must(missed.length === 0, "nothing is missed that is there");
      network.interference = {};
    },
  },
  {
    name: "a member that hears of no delete has nothing left in the end",
    options: { seed: 73 },
    async tell(scene) {
      const it = await committed(scene, 6);
      for (const index of it.sent.keys()) await scene.do(scene.files.remove(`file-${index}`, "remove"));
      await scene.do(scene.raw.close(it.lease));
      deafen(scene, it.leaving.machine.name);
      await scene.pass(120_000);
      scene.world.network.cuts.mendAll();
    },
  },
  {
    name: "a chunk that is taken again before its grace is over is kept",
    options: { seed: 74 },
    async tell(scene) {
      for (let round = 0; round < 6; round++) {
        const content = await scene.put("first", scene.contents.draw(4));
        await scene.do(scene.files.remove("first", "remove"));
        await scene.put(`kept-${round}`, content);
      }
      await scene.pass(120_000);
    },
  },
  {
    name: "what is committed while an inventory is judged is no left-over",
    options: { seed: 75, nodes: 3 },
    async tell(scene) {
      scene.world.metadata.faults.slowStatement = 1;
      await commitAtInventories(scene, 40);
      scene.world.metadata.faults.slowStatement = 0;
    },
  },
  {
    name: "machines that got each other's disks serve neither",
    options: { seed: 76, nodes: 3 },
    async tell(scene) {
      for (let file = 0; file < 8; file++) await scene.put(`file-${file}`);
      const [one, other] = [scene.node(1), scene.node(2)];
      const [a, b] = [one.disks[0], other.disks[0]];
      if (!a || !b) throw new Error("each machine has a disk");
      const swap = (): void => {
        one.kill();
        other.kill();
        [a.platter, b.platter] = [b.platter, a.platter];
      };
      // With the metadata server away, only the nodes themselves can tell.
      scene.world.metadata.kill();
      scene.operator.leaveDown("metadata", 60_000);
      swap();
      await scene.pass(50_000);
      scene.must(one.node === undefined && other.node === undefined, "nobody serves another machine's disk");
      swap();
    },
  },
  {
    name: "two copies of a group never come to lie on one machine",
    options: { seed: 77, nodes: 2, disksPerNode: 2 },
    async tell(scene) {
      const it = await committed(scene, 4);
      it.leaving.kill();
      scene.operator.leaveDown(it.leaving, 210_000);
      await scene.pass(200_000);
      const shared = await scene.rows(
        `SELECT node FROM grp_slot JOIN disk ON disk.id = grp_slot.disk WHERE grp = ? AND grp_slot.state <> 1
         GROUP BY node HAVING COUNT(*) > 1`,
        it.group,
      );
      scene.must(shared.length === 0, "the copies of a group are on different machines");
    },
  },
];
