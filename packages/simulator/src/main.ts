import { parseArgs } from "node:util";
import { networkOf, onlyBlows, type Swarm } from "./faults/swarm.ts";
import { hunt } from "./hunt/hunt.ts";
import { runToResult, serveSeeds } from "./hunt/hunt-worker.ts";
import { allScenarios } from "./scenarios/all-scenarios.ts";
import { runScenario } from "./scenarios/scenario.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seeds: { type: "string" },
    from: { type: "string", default: "1" },
    minutes: { type: "string" },
    workers: { type: "string", default: "0" },
    echo: { type: "boolean", default: false },
    blows: { type: "string" },
    "blow-every": { type: "string" },
    network: { type: "string" },
    "until-first": { type: "boolean", default: false },
    scenario: { type: "string", multiple: true },
    worker: { type: "boolean", default: false },
  },
});
const say = (line: string): void => void process.stdout.write(`${line}\n`);

if (values.worker) serveSeeds();
else if (values.scenario) process.exitCode = (await stories(values.scenario)) ? 0 : 1;
else if (values.seed !== undefined) process.exitCode = (await one(number(values.seed))) ? 0 : 1;
else process.exitCode = (await many()) ? 0 : 1;

async function one(seed: number): Promise<boolean> {
  const result = await runToResult({ seed, swarm: swarm() }, values.echo ? say : undefined);
  const { violation, operations, virtualMs, steps, digest, faults, wallMs } = result;
  if (violation !== undefined && !values.echo) say(result.lastLines.join("\n"));
  say(`faults: ${faults.map(([fault, count]) => `${count} × ${fault}`).join(", ")}`);
  say(`${operations} operations, ${steps} steps, ${virtualMs} ms of virtual time in ${Math.round(wallMs)} ms`);
  say(`seed ${seed} digest ${digest}: ${violation ?? "no violation"}`);
  return violation === undefined;
}

/** Tells the stories whose names contain one of these words; "all" for every one. */
async function stories(words: readonly string[]): Promise<boolean> {
  const told = allScenarios.filter(({ name }) => words.some((word) => word === "all" || name.includes(word)));
  if (told.length === 0) throw new Error(`no scenario is named like ${words.join(", ")}`);
  const seed = values.seed === undefined ? {} : { seed: number(values.seed) };
  let well = true;
  for (const scenario of told) {
    const violation = await runScenario(scenario, { ...seed, echo: values.echo ? say : undefined });
    say(`scenario "${scenario.name}": ${violation?.message.split("\n", 1)[0] ?? "no violation"}`);
    well &&= violation === undefined;
    if (!well && values["until-first"]) return false;
  }
  return well;
}

function many(): Promise<boolean> {
  const minutes = values.minutes === undefined ? Number.POSITIVE_INFINITY : number(values.minutes);
  const seeds = values.seeds ?? (values.minutes === undefined ? "100" : "1e9");
  return hunt({
    ...{ from: number(values.from), seeds: number(seeds), minutes, workers: number(values.workers) },
    ...{ untilFirst: values["until-first"], swarm: swarm(), say },
  });
}

function swarm(): Partial<Swarm> {
  const { blows, network, "blow-every": every } = values;
  return {
    ...(network === undefined ? {} : { network: networkOf(network.split(",")) }),
    ...(blows === undefined ? {} : { blows: onlyBlows(blows.split(",")) }),
    ...(every === undefined ? {} : { blowEveryMs: number(every) }),
  };
}

function number(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0) throw new Error(`${text} is no number of seeds, minutes or workers`);
  return value;
}
