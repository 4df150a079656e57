// npm run faults: the rows of the fault table on real processes, and a report of what became of each.
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { arch, cpus, release, totalmem, type } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { rows } from "./rows/index.ts";
import { installPackages } from "./run/capabilities.ts";
import { type Report, readReport, tableOf, writeTable } from "./run/report.ts";
import type { Row, RowResult } from "./run/row.ts";
import { runRow } from "./run/run-row.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const resultFile = join(root, "faults", "results", "latest.json");
const page = join(root, "docs", "faults.md");

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    list: { type: "boolean" },
    quick: { type: "boolean" },
    tier: { type: "string" },
    seed: { type: "string" },
    write: { type: "boolean" },
    verbose: { type: "boolean", short: "v" },
  },
});
const seed = values.seed ?? randomBytes(4).toString("hex");
const chosen = rows.filter(
  (row) =>
    (positionals.length === 0 || positionals.some((word) => row.id === word || row.id.startsWith(`${word} `))) &&
    (values.tier === undefined || row.tier === Number(values.tier)) &&
    (!values.quick || row.quick === true),
);
// Not by running out of work: after many transfers the teardown of the process takes minutes of processor time then.
process.exit(values.list ? list() : await runAll());

function list(): number {
  for (const { id, tier, title, needs, quick } of chosen) {
    console.log(
      `${id.padEnd(12)} T${tier} ${quick ? "quick " : "      "} ${title}${needs.length > 0 ? `  [${needs.join(", ")}]` : ""}`,
    );
  }
  return 0;
}

async function runAll(): Promise<number> {
  const stop = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      console.log("\nstopping; what was set up is undone first …");
      stop.abort(new Error("stopped"));
    });
  }
  await installPackages((line) => console.log(line));
  console.log(`${chosen.length} rows, seed ${seed}`);
  const results: RowResult[] = [];
  for (const row of chosen) {
    if (stop.signal.aborted) break;
    results.push(await runOne(row, stop.signal));
  }
  if (results.length === 0) return 2;
  const report: Report = { ...circumstances(), seed, rows: results };
  console.log(`\n${tableOf(report)}`);
  if (!stop.signal.aborted && (values.write || chosen.length === rows.length)) write(report);
  const count = (state: RowResult["state"]): number => results.filter((it) => it.state === state).length;
  console.log(`${count("passed")} passed, ${count("failed")} failed, ${count("not run")} skipped`);
  return stop.signal.aborted ? 130 : count("failed") === 0 ? 0 : 1;
}

async function runOne(row: Row, signal: AbortSignal): Promise<RowResult> {
  console.log(`\n${row.id}  ${row.title}`);
  const tell = (line: string): void => console.log(`     ${line}`);
  const result = await runRow(row, { seed: `${seed}-${row.id.replaceAll(" ", "-")}`, signal, tell });
  const figures = Object.entries(result.figures).map(([name, value]) => `${name} ${value}`);
  console.log(`  ${result.state.toUpperCase()} in ${result.seconds} s  ${figures.join(" · ")}`);
  for (const reason of result.reasons) console.log(`     ${reason}`);
  return result;
}

/** Rows that were not chosen keep what the last run said of them. */
function write(report: Report): void {
  const last = readReport(resultFile);
  const before = (last?.rows ?? []).map((row) => ({ commit: last?.commit ?? "", ...row }));
  const merged = rows.flatMap(
    ({ id }) => report.rows.find((row) => row.id === id) ?? before.find((row) => row.id === id) ?? [],
  );
  mkdirSync(dirname(resultFile), { recursive: true });
  writeFileSync(resultFile, `${JSON.stringify({ ...report, rows: merged }, null, 1)}\n`);
  writeTable(page, { ...report, rows: merged });
}

function circumstances(): Omit<Report, "seed" | "rows"> {
  const commit = execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: root, encoding: "utf8" }).trim();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const machine = `${type()} ${release().split("-")[0]} ${arch()}, ${cpus().length} cores, ${memory}, Node ${process.version}`;
  return { date: new Date().toISOString().slice(0, 10), commit, machine };
}
