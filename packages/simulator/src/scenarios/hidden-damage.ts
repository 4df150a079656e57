import { CopiesWatch } from "../oracle/copies-watch.ts";
import { digestOf } from "../workload/contents.ts";
import type { RawChunk } from "../workload/raw-client.ts";
import { change, committed, hasMoved, keepOpen, scrub, spoil } from "./filled-group.ts";
import type { Scenario } from "./scenario.ts";

/** Damage that nothing but a checksum tells: on a disk, on the way between two nodes, and after what repaired it. */

function chunksOf({ sent }: { readonly sent: readonly { readonly chunk: RawChunk }[] }): readonly RawChunk[] {
  return sent.map(({ chunk }) => chunk);
}

export const hiddenDamage: readonly Scenario[] = [
  {
    name: "a range of a damaged copy is never handed out",
    options: { seed: 61, nodes: 3 },
    async tell(scene) {
      const it = await committed(scene, 12);
      spoil(it.leaving, chunksOf(it));
      const known = new Map(chunksOf(it).map(({ bytes }) => [digestOf(bytes), bytes]));
      for (let round = 0; round < 24; round++) {
        await scene.do((round % 2 ? scene.files : scene.others).readRange(`file-${round % 12}`, known));
      }
    },
  },
  {
    name: "bits that turn over between two nodes make no bad copy",
    options: { seed: 62, nodes: 3 },
    async tell(scene) {
      const it = await committed(scene, 12);
      new CopiesWatch(scene.world).start();
      scene.world.network.interference = {
        answer: ({ from, target }, body) => {
          if (target !== "/chunks/read" || !from.startsWith("machine-")) return body;
          const turned = body.slice();
          const at = Math.floor(turned.length * 0.55);
          turned[at] = (turned[at] ?? 0) ^ 1;
          return turned;
        },
      };
      await change(scene, it.leaving, "drain");
      await scene.untilRow(hasMoved, it.group);
      await scene.pass(5000);
    },
  },
  {
    name: "a write that comes after its group was sealed is refused, also while copies come to it",
    options: { seed: 63, nodes: 3 },
    async tell(scene) {
      const it = await committed(scene, 4);
      keepOpen(scene, it.lease);
      await change(scene, it.leaving, "drain");
      await scene.untilRow(hasMoved, it.group);
      // A repair makes the member take a copy under the new epoch.
      spoil(it.staying, chunksOf(it));
      await scrub(scene);
      // Until the node has heard of the seal it may take chunks: their commits are judged by the members of that moment.
      await scene.pass(10_000);
      const [group] = it.lease.groups;
      const member = group?.members.find(({ url }) => url === it.staying.url);
      if (!group || !member) throw new Error("the group has the member");
      for (let round = 0; round < 60; round++) {
        await scene.pass(500);
        const write = {
          ...scene.raw.newChunk(),
          generation: scene.raw.newGeneration(it.lease),
          token: group.writeToken,
        };
        const taken = scene.raw.nodeOf(member).put(write);
        const refused = taken.then(
          () => false,
          () => true,
        );
        scene.must(await scene.do(refused), "a write under an overtaken epoch is refused");
      }
    },
  },
];
