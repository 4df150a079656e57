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

/** A guard is looked for with the blows that concern it, so many seeds and minutes at most. */
const search = { seeds: 150, minutes: 2, blowEveryMs: 2000 };

/** Answers true when every guard was missed, or stands in the list with the test that misses it. */
export async function runSensitivity(words) {
  const copy = mkdtempSync(join(tmpdir(), "cairn-sensitivity-"));
  let green = 0;
  try {
    makeCopy(copy);
    for (const mutation of mutations.filter(
      ({ name }) => words.length === 0 || words.some((it) => name.includes(it)),
    )) {
      const found = without(copy, mutation);
      if (!found && mutation.else === undefined) green++;
      const state = found ? "red  " : mutation.else ? "other" : "GREEN";
      console.log(`${state}  without: ${mutation.name}\n         ${found ?? mutation.else ?? "no seed found it"}`);
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
  console.log(green === 0 ? "every guard is missed when it is gone" : `${green} guards could go without notice`);
  return green === 0;
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

/** The first violation that the guard's absence explains, with its seed; undefined when none was found. */
function without(copy, { name, file, cut, by, ...focus }) {
  const text = readFileSync(join(copy, file), "utf8");
  if (text.split(cut).length !== 2) throw new Error(`the guard "${name}" is not where it was: ${file}`);
  const built = join(copy, file.replace("/src/", "/dist/").replace(/\.ts$/, ".js"));
  const before = readFileSync(built);
  const mutated = compiled(text.replace(cut, () => by));
  const endsAt = Date.now() + search.minutes * 60_000;
  for (let from = 1; from <= search.seeds && Date.now() < endsAt; ) {
    writeFileSync(built, mutated);
    const minutes = String((endsAt - Date.now()) / 60_000);
    const many = ["--until-first", "--from", from, "--seeds", search.seeds, "--minutes", minutes, "--workers", 1];
    const found = simulate(copy, many, focus);
    writeFileSync(built, before);
    if (found === undefined) return undefined;
    const seed = Number(/^seed (\d+)/.exec(found)[1]);
    // A seed that fails with the guard in its place says nothing about the guard.
    if (simulate(copy, ["--seed", seed], focus) === undefined) return found;
    from = seed + 1;
  }
  return undefined;
}

/** What it found, as its first line; undefined for nothing. */
function simulate(copy, args, { blows, network, everyMs = search.blowEveryMs }) {
  const all = blows ? [...args, "--blows", blows.join(","), "--blow-every", everyMs] : [...args];
  if (network) all.push("--network", network);
  const main = join(copy, "packages", "simulator", "dist", "main.js");
  const { stdout, stderr, status } = spawnSync(process.execPath, [main, ...all.map(String)], { encoding: "utf8" });
  const violation = stdout.split("\n").find((line) => /^seed \d+( digest \w+)?: (?!no violation)/.test(line));
  if (status !== 0 && violation === undefined) throw new Error(`the simulator did not run: ${stderr || stdout}`);
  return violation?.slice(0, 200);
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
