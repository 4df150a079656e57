import type { Drive } from "@cairn/protocol";
import { Nemesis } from "./faults/nemesis.ts";
import { Operator } from "./faults/operator.ts";
import { drawSwarm, type Swarm } from "./faults/swarm.ts";
import { CommandWatch } from "./oracle/command-watch.ts";
import { type FileState, Ledger } from "./oracle/ledger.ts";
import { verifyWorld } from "./oracle/verdict.ts";
import type { Violation } from "./oracle/violation.ts";
import { SeededRandom } from "./random/seeded-random.ts";
import { Actor } from "./workload/actor.ts";
import { Contents } from "./workload/contents.ts";
import { World } from "./world/world.ts";

export interface RunOptions {
  readonly seed: number;
  /** In place of what the seed draws. */
  readonly swarm?: Partial<Swarm>;
  readonly echo?: ((line: string) => void) | undefined;
}

/** What a run did and found. */
export interface RunReport {
  readonly seed: number;
  readonly violation: Violation | undefined;
  readonly operations: number;
  /** Faults that were injected, by class. */
  readonly faults: ReadonlyMap<string, number>;
  readonly virtualMs: number;
  readonly steps: number;
  /** Equal for two runs in which the same happened. */
  readonly digest: string;
  readonly lastLines: readonly string[];
}

/** Graces of days would outlast a run; none of them decides whether something is safe. */
const settings: Readonly<Record<string, number>> = {
  "repair.delay": 45_000,
  "repair.delay-single": 15_000,
  "safe-mode.time": 60_000,
  "storm.window": 60_000,
  "collect.grace": 15_000,
  "collect.trash": 45_000,
  "collect.every": 10_000,
  "collect.orphans-every": 20_000,
  "collect.audit-every": 60_000,
  "scrub.every": 120_000,
};

const chunkBytes = 4096;
const diskBytes = 512 * 2 ** 20;
/** Longest time that an operation may take once nothing goes wrong any more. */
const patienceMs = 600_000;

/** Runs one seed from an empty cluster to the verdict. */
export async function runSeed(options: RunOptions): Promise<RunReport> {
  const { seed } = options;
  const swarm = { ...drawSwarm(new SeededRandom(seed * 2 + 1)), ...options.swarm };
  const { nodes, copies, disksPerNode, clients } = swarm;
  const world = await World.make({
    ...{ seed, nodes, copies, disksPerNode, clients, chunkBytes, diskBytes, settings },
    echo: options.echo,
  });
  const clock = { now: () => world.timeline.now, wallAt: (machine: string, ms: number) => world.wallAt(machine, ms) };
  const watch = new CommandWatch(clock, (oracle, message) => world.violate(oracle, message));
  world.network.tap = watch.tap;
  try {
    await world.boot();
    if (!world.violation) await live(world, swarm);
  } finally {
    await world.metadata.database[Symbol.asyncDispose]();
  }
  return {
    ...{ seed, violation: world.violation, operations: world.operations, faults: world.faults },
    ...{ virtualMs: Math.round(world.timeline.now), steps: world.timeline.steps },
    ...{ digest: world.log.digest(), lastLines: world.log.last(60) },
  };
}

async function live(world: World, swarm: Swarm): Promise<void> {
  const { timeline } = world;
  const drive = await driveOf(world);
  const ledger = new Ledger();
  const actors = actorsOf(world, { swarm, drive, ledger });
  const operator = new Operator(world);
  const nemesis = new Nemesis({ world, ledger, drive }, operator, swarm);
  operator.start();
  const running = [nemesis.run(), ...actors.map((actor) => actor.run())];
  for (const part of running) part.catch((error: Error) => world.violate("the simulator works", error.stack ?? ""));
  await timeline.runUntil(timeline.now + swarm.faultMs, () => world.violation !== undefined);
  nemesis.stop();
  for (const actor of actors) actor.stop();
  operator.mendAll();
  await world.until("every operation ends", patienceMs, () => actors.every(({ idle }) => idle));
  if (!world.violation) await verifyWorld({ world, ledger, drive });
  operator.stop();
}

async function driveOf(world: World): Promise<Drive> {
  const { opened } = world.metadata;
  const drives = await world.timeline.run(opened?.metadata.drives() ?? Promise.resolve([]), 10_000);
  const [drive] = drives;
  if (!drive) throw new Error("a new cluster has a drive");
  return drive;
}

function actorsOf(
  world: World,
  { swarm, drive, ledger }: { swarm: Swarm; drive: Drive; ledger: Ledger },
): readonly Actor[] {
  const contents = new Contents(world.fork(), { chunkBytes, chunks: 40 });
  const known = new Map<FileState, Uint8Array>();
  const shared = ["a", "a.txt", "a-b", "B", "ä", "z z", "𝒳", "\uffee"];
  return world.clients.flatMap((client, index) =>
    [0, 1].map((number) => {
      const own = Array.from({ length: 6 }, (_, name) => `own-${index}-${number}-${name}`);
      const { mix, pauseMs } = swarm;
      const random = world.fork();
      return new Actor({ world, ledger, drive, client, random, contents, known, mix, shared, own, pauseMs });
    }),
  );
}
