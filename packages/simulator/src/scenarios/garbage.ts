import type { Scenario } from "./scenario.ts";

/** Failures of other systems around garbage; docs/simulation.md names them by number. */

export const garbage: readonly Scenario[] = [
  {
    name: "3: files that share their chunks with what is being collected stay whole, however late the deletes arrive",
    options: { seed: 11, settings: { "collect.grace": 0, "collect.every": 1000 } },
    async tell(scene) {
      Object.assign(scene.world.network.faults, { late: 0.2, lateMs: 90_000, delayMs: 20 });
      const content = scene.contents.draw(6);
      for (let round = 0; round < 40; round++) {
        await scene.do(scene.files.put("first", content));
        await scene.do(scene.files.remove("first", "remove"));
        await scene.pass((round % 8) * 700);
        await scene.do(scene.others.put(`kept-${round}`, content));
        await scene.do(scene.others.read(`kept-${round}`));
        if (round % 2 === 1) await scene.do(scene.others.remove(`kept-${round}`, "remove"));
      }
      scene.must(scene.destroyed.length > 0, "something is destroyed");
    },
  },
  {
    name: "4: an upload that takes six hours is whole, although left-overs are looked for all the time",
    options: { seed: 12, settings: { "collect.grace": 0, "collect.orphans-every": 10_000 } },
    async tell(scene) {
      await scene.do(scene.putSlowly("slow", { chunks: 72, pauseMs: 90_000 }));
      await scene.do(scene.files.read("slow"));
    },
  },
  {
    name: "4: what a client leaves behind that dies in the middle of an upload goes, and nothing else does",
    options: { seed: 13 },
    async tell(scene) {
      const kept = await scene.put("kept");
      scene.putSlowly("half", { chunks: 40, pauseMs: 1000 }).catch(() => undefined);
      await scene.pass(20_000);
      scene.world.clients[0]?.kill();
      await scene.put("again", kept);
      // Its lease has ended by then.
      await scene.pass(600_000);
      scene.must(scene.destroyed.length > 0, "something is destroyed");
    },
  },
];
