import type { Finding, FindingTotal, FsckReport, Level } from "@cairn/fsck";
import { escapeControls, formatBytes, formatCount, formatItems } from "../format.ts";
import type { Output } from "../output.ts";

/** What `fsck --json` prints. */
export function fsckDocument(report: FsckReport): Readonly<Record<string, unknown>> {
  const { verdict, cluster, scope, totals, findings, affected } = report;
  return {
    type: "summary",
    verdict,
    cluster,
    scope,
    totals,
    findings,
    files: affected.files,
    files_total: affected.count,
  };
}

/** The report for people and for programs that read lines; with --quiet only what is damaged or missing. */
export async function writeFsckReport(output: Output, report: FsckReport): Promise<void> {
  const bad = report.findings.filter(({ level }) => level !== "note");
  switch (output.format) {
    case "json":
    case "ids":
      for (const { kind, message } of bad) await output.line(`${kind}: ${escapeControls(message)}`);
      return;
    case "plain":
      for (const it of report.findings) await output.fields([it.level, it.kind, it.message]);
      return;
    case "human":
      await output.line(describe(output, report).join("\n"));
  }
}

function describe(output: Output, report: FsckReport): readonly string[] {
  return [
    ...section(output, report, { level: "damage", title: output.colors.red("✕ Damaged") }),
    ...section(output, report, { level: "missing", title: output.colors.yellow("▲ Missing") }),
    ...files(report),
    ...notes(output, report.totals),
    verdictLine(output, report),
  ];
}

function section(
  { colors }: Output,
  { totals, findings }: FsckReport,
  { level, title }: { readonly level: Level; readonly title: string },
): readonly string[] {
  const here = totals.filter((total) => total.level === level);
  if (here.length === 0) return [];
  const lines = here.flatMap((total) => {
    const shown = findings.filter(({ kind }) => kind === total.kind);
    const more = total.count > shown.length && shown.length >= 1 ? moreOf(total, shown) : [];
    return [`  ${colors.bold(total.kind)} · ${amount(total)}`, ...shown.map(lineOf), ...more];
  });
  return [title, ...lines, ""];
}

function lineOf({ message }: Finding): string {
  return `    ${escapeControls(message)}`;
}

/** A finding may stand for many things; then it is not the list that was cut off. */
function moreOf({ kind, count }: FindingTotal, shown: readonly Finding[]): readonly string[] {
  return kind === "copies-missing" ? [] : [`    … and ${formatCount(count - shown.length)} more (--limit)`];
}

function files({ affected }: FsckReport): readonly string[] {
  if (affected.count === 0) return [];
  const shown = affected.files.map(({ path, lostChunks, shortChunks }) => {
    const lost = lostChunks > 0 ? [`${formatItems(lostChunks, "chunk")} lost`] : [];
    const short = shortChunks > 0 ? [`${formatItems(shortChunks, "chunk")} short of copies`] : [];
    return `  ${escapeControls(path)}  ${[...lost, ...short].join(", ")}`;
  });
  const rest = affected.count - affected.files.length;
  const more = rest > 0 ? [`  … and ${formatCount(rest)} more (--limit)`] : [];
  return [`Files with such chunks: ${formatCount(affected.count)}`, ...shown, ...more, ""];
}

function notes({ colors }: Output, totals: readonly FindingTotal[]): readonly string[] {
  const here = totals.filter(({ level }) => level === "note");
  if (here.length === 0) return [];
  return [
    colors.dim("Notes (normal; nothing to do)"),
    ...here.map((it) => colors.dim(`  ${it.kind} · ${amount(it)}`)),
    "",
  ];
}

function amount({ count, bytes }: FindingTotal): string {
  return bytes > 0 ? `${formatCount(count)}, ${formatBytes(bytes)}` : formatCount(count);
}

function verdictLine({ colors }: Output, { verdict, scope }: FsckReport): string {
  const read = { headers: "headers", checksums: "checksums", hashes: "hashes" }[scope.depth];
  const looked = [
    formatItems(scope.versions, "version"),
    formatItems(scope.references, "reference"),
    formatItems(scope.chunks, "chunk"),
    `${formatItems(scope.records, "record")} in ${formatItems(scope.groups, "group")} on ${formatItems(scope.disks, "disk")} (${read})`,
  ].join(", ");
  if (verdict === "clean") return `${colors.green("● Clean")} · ${looked}`;
  return verdict === "damage"
    ? `${colors.red("✕ Damaged")} · ${looked}`
    : `${colors.yellow("▲ Copies missing")} · ${looked}`;
}
