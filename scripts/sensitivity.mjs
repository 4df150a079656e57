// npm run simulate -- --sensitivity [NAME …]: takes each guard of mutations.mjs out of a copy of the programs, one at a time,
// and lets the simulator look for a violation. The tree itself is not touched; docs/simulation.md.
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ts from "typescript";
import { mutations } from "./mutations.mjs";
import { root } from "./prepare.mjs";

const messageMax = 110;
/** A guard is looked for with the blows that concern it, so many seeds and minutes at most. */
const search = { seeds: 150, minutes: 2, blowEveryMs: 2000 };

/** Answers true when every guard was missed by a simulation. */
export async function runSensitivity(words) {
  const copy = mkdtempSync(join(tmpdir(), "cairn-sensitivity-"));
  const counts = { seed: 0, scenario: 0, layers: 0, nothing: 0 };
  try {
    makeCopy(copy);
    const programs = new Programs(copy);
    for (const mutation of mutations.filter(
      ({ name }) => words.length === 0 || words.some((it) => name.includes(it)),
    )) {
      const found = missedBy(programs, mutation);
      counts[found?.layers ? "layers" : (/^\*\*(seed|scenario)/.exec(found?.text)?.[1] ?? "nothing")]++;
      console.log(`| ${mutation.name} | ${found?.text ?? "**nothing**"} |`);
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
  console.log(
    `missed by a seed: ${counts.seed}, by a story: ${counts.scenario}, as one of several layers: ${counts.layers}`,
  );
  console.log(
    counts.nothing === 0 ? "every guard is missed when it is gone" : `${counts.nothing} guards could go without notice`,
  );
  return counts.nothing === 0;
}

/** What misses a guard, in words; undefined: nothing does. */
function missedBy(programs, mutation) {
  if (mutation.with) return missedInSet(programs, mutation);
  const found = mutation.scenarios ? storyFor(programs, [mutation], mutation.scenarios) : seedFor(programs, mutation);
  return found && { text: found };
}

/**
 * Of guards that stand behind each other any one must be enough: the story goes well as long as one of them is left, whichever
 * it is, and not without any.
 */
function missedInSet(programs, { with: others, scenarios, ...mutation }) {
  const layers = others.map((name) => mutations.find((it) => it.name === name) ?? fail(`there is no guard "${name}"`));
  const all = [mutation, ...layers];
  for (const left of all) {
    const found = storyFor(
      programs,
      all.filter((it) => it !== left),
      scenarios,
    );
    if (found) fail(`"${left.name}" alone does not hold, so these guards are no layers: ${found}`);
  }
  const found = storyFor(programs, all, scenarios);
  const names = others.map((name) => `"${name}"`).join(" and ");
  return found && { layers: true, text: `layer of ${all.length}, with ${names}; all gone: ${found}` };
}

/** The first story of these that goes wrong without the guards, and goes well with them. */
function storyFor(programs, gone, names) {
  const words = names.flatMap((name) => ["--scenario", name]);
  const found = programs.without(gone, () => programs.simulate([...words, "--until-first"]));
  if (found && programs.simulate(words)) fail(`a story goes wrong without any change: ${found}`);
  return found && inWords(found);
}

/** A line of the simulator for the table: who found it, and the beginning of what. */
function inWords(line) {
  const [, finder, what] = /^(seed \d+|scenario ".*?")(?: digest \w+)?: (.*)$/.exec(line);
  return `**${finder}**: ${what.length > messageMax ? `${what.slice(0, messageMax).replace(/[^ ]*$/, "")}…` : what}`;
}

/** The first violation that the absence explains, with its seed; undefined when none was found. */
function seedFor(programs, mutation) {
  const endsAt = Date.now() + search.minutes * 60_000;
  for (let from = 1; from <= search.seeds && Date.now() < endsAt; ) {
    const minutes = (endsAt - Date.now()) / 60_000;
    const many = ["--until-first", "--from", from, "--seeds", search.seeds, "--minutes", minutes, "--workers", 1];
    const found = programs.without([mutation], () => programs.simulate(many, mutation));
    if (found === undefined) return undefined;
    const seed = Number(/^seed (\d+)/.exec(found)[1]);
    // A seed that fails with the guard in its place says nothing about the guard.
    if (programs.simulate(["--seed", seed], mutation) === undefined) return inWords(found);
    from = seed + 1;
  }
  return undefined;
}

/** What the simulator runs from: built packages, and links to everything else. */
function makeCopy(copy) {
  for (const name of readdirSync(join(root, "packages"), { withFileTypes: true }).flatMap((it) =>
    it.isDirectory() ? [it.name] : [],
  )) {
    if (!existsSync(join(root, "packages", name, "dist"))) continue;
    for (const part of ["dist", "src", "package.json"]) {
      const from = join(root, "packages", name, part);
      cpSync(from, join(copy, "packages", name, part), { recursive: true, force: true });
    }
  }
  mkdirSync(join(copy, "node_modules", "@cairn"), { recursive: true });
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name !== "@cairn") symlinkSync(join(root, "node_modules", name), join(copy, "node_modules", name), "junction");
  }
  for (const name of readdirSync(join(copy, "packages"))) {
    symlinkSync(join(copy, "packages", name), join(copy, "node_modules", "@cairn", name), "junction");
  }
}

/** The copied programs, from which guards are taken out and put back. */
class Programs {
  #copy;

  constructor(copy) {
    this.#copy = copy;
  }

  /** Does the work while these guards are gone. */
  without(gone, work) {
    const before = new Map();
    const texts = new Map();
    for (const { name, file, cut, by } of gone) {
      const text = texts.get(file) ?? readFileSync(join(this.#copy, file), "utf8");
      if (text.split(cut).length !== 2) fail(`the guard "${name}" is not where it was: ${file}`);
      texts.set(
        file,
        text.replace(cut, () => by),
      );
    }
    for (const [file, text] of texts) {
      const built = join(this.#copy, file.replace("/src/", "/dist/").replace(/\.ts$/, ".js"));
      before.set(built, readFileSync(built));
      writeFileSync(built, compiled(text));
    }
    try {
      return work();
    } finally {
      for (const [built, bytes] of before) writeFileSync(built, bytes);
    }
  }

  /** What it found, as its first line; undefined for nothing. */
  simulate(args, { blows, network, everyMs = search.blowEveryMs } = {}) {
    const all = blows ? [...args, "--blows", blows.join(","), "--blow-every", everyMs] : [...args];
    if (network) all.push("--network", network);
    const main = join(this.#copy, "packages", "simulator", "dist", "main.js");
    const { stdout, stderr, status } = spawnSync(process.execPath, [main, ...all.map(String)], { encoding: "utf8" });
    const lines = stdout.split("\n");
    const violation = lines.find((line) => /^(seed \d+( digest \w+)?|scenario ".*"): (?!no violation$)/.test(line));
    if (status !== 0 && violation === undefined) fail(`the simulator did not run: ${stderr || stdout}`);
    return violation;
  }
}

function fail(why) {
  throw new Error(why);
}

function compiled(text) {
  const compilerOptions = {
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ES2023,
    rewriteRelativeImportExtensions: true,
    verbatimModuleSyntax: true,
  };
  return ts.transpileModule(text, { compilerOptions }).outputText;
}
