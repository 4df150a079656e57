import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { RowResult } from "./row.ts";

/** One run of the suite. */
export interface Report {
  readonly date: string;
  readonly commit: string;
  readonly machine: string;
  readonly seed: string;
  /** `commit`: of the run that the row is from, if it is not this one. */
  readonly rows: readonly (RowResult & { readonly commit?: string })[];
}

const marks = ["<!-- faults -->\n", "<!-- /faults -->"] as const;

export function readReport(file: string): Report | undefined {
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as Report) : undefined;
}

/** The table of a run, as it stands in docs/faults.md. */
export function tableOf(report: Report): string {
  const count = (state: RowResult["state"]): number => report.rows.filter((row) => row.state === state).length;
  const lost = report.rows.reduce((sum, { figures }) => sum + Number(figures["acknowledged changes lost"] ?? 0), 0);
  const acknowledged = report.rows.reduce((sum, { figures }) => sum + Number(figures["changes acknowledged"] ?? 0), 0);
  const reads = report.rows.reduce((sum, { figures }) => sum + Number(figures["reads"] ?? 0), 0);
  const commits = [...new Set(report.rows.map(({ commit }) => commit ?? report.commit))].join(", ");
  return [
    `${report.date}, commit ${commits}, ${report.machine}, seed \`${report.seed}\`:`,
    `**${count("passed")} passed, ${count("failed")} failed, ${count("not run")} not run**; ` +
      `${acknowledged} acknowledged changes, ${lost} lost; ${reads} reads judged while faults ran.`,
    "",
    "| row | tier | fault | result | asked | s | figures and reasons |",
    "|---|---|---|---|---|---|---|",
    ...report.rows.map(line),
    "",
  ].join("\n");
}

/** Puts the table between its marks. */
export function writeTable(page: string, report: Report): void {
  const text = readFileSync(page, "utf8");
  const [start, end] = [text.indexOf(marks[0]) + marks[0].length, text.indexOf(marks[1])];
  if (start < marks[0].length || end < start) throw new Error(`${page} has no place for the table`);
  writeFileSync(page, `${text.slice(0, start)}${tableOf(report)}${text.slice(end)}`);
}

function line({ id, tier, title, state, oracles, seconds, figures, reasons }: RowResult): string {
  const asked = Object.keys(oracles)
    .map((name) => (name === "expected" ? "outcome" : name))
    .sort()
    .join(" ");
  const shown = Object.entries(figures).map(([name, value]) => `${name} ${value}`);
  const told = [...reasons.slice(0, 3).map((it) => `**${it.slice(0, 240)}**`), ...shown].join("; ");
  const cells = [id, String(tier), title, state === "failed" ? "**FAILED**" : state, asked, String(seconds), told];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
}
