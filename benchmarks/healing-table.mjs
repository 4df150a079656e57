// Turns the result of a run into the tables of docs/performance.md.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { MiB, median } from "./measure.mjs";

const document = fileURLToPath(new URL("../docs/performance.md", import.meta.url));
const start = "<!-- healing: written by npm run bench -- healing -->";
const end = "<!-- end of healing -->";

/** Replaces the part of the document between the marks. */
export function writeHealingTable(result) {
  const text = readFileSync(document, "utf8");
  const before = text.slice(0, text.indexOf(start) + start.length);
  const after = text.slice(text.indexOf(end));
  writeFileSync(document, `${before}\n\n${healingSection(result)}\n${after}`);
}

/** The figures of one run in Markdown. */
export function healingSection({ work, startUp, machine, sizes, ...run }) {
  const { cores, cpu, memoryGiB, platform } = machine;
  return [
    `${cores} cores (${cpu}), ${memoryGiB} GiB, ${platform}, Node ${run.node}, commit ${run.commit}, ${run.at.slice(0, 10)}; five nodes, two copies, ${sizes.fileBytes / MiB} MiB of files in chunks of 1 MiB; all data fits into the page cache.`,
    "",
    ...rateTable(work),
    "",
    ...latencyTable(work),
    "",
    ...startTable(startUp),
    "",
  ].join("\n");
}

function rateTable({ ceilings, repair, scrub }) {
  const repairs = [
    ["default rate (50 MiB/s a disk), users beside it", repair.atDefault.result],
    ["no limit, users beside it", repair.unlimited.result],
    ["no limit, alone", repair.alone],
  ];
  const scrubs = [
    ["no limit, users beside it", scrub.unlimited.result],
    ["no limit, alone", scrub.alone],
  ];
  return [
    `| work | Cairn | ceiling in the same run | ratio |`,
    "|---|---|---|---|",
    ...repairs.map(
      ([how, { toFullRedundancySeconds, noticedAfterSeconds, bytes, MiBps }]) =>
        `| kill -9 to full redundancy, ${how} | ${toFullRedundancySeconds} s: ${noticedAfterSeconds} s until copying begins, then ${Math.round(bytes / MiB)} MiB at ${mib(MiBps)} | read and write of the same segments, one sync: ${mib(ceilings.copy.MiBps)} | ${ratio(MiBps, ceilings.copy.MiBps)} |`,
    ),
    ...scrubs.map(
      ([how, { MiBps }]) =>
        `| scrub of all disks, ${how} | ${mib(MiBps)} | plain read of the same segments: ${mib(ceilings.read.MiBps)}; SHA-256 on one core ${mib(ceilings.sha256MiBps)} | ${ratio(MiBps, ceilings.read.MiBps)} |`,
    ),
  ];
}

function latencyTable({ idle, repair, scrub, collection }) {
  const alone = (way) =>
    median(
      idle.map(({ latency }) => latency.all[way]),
      ({ p99Ms }) => p99Ms,
    );
  const read = alone("read");
  const write = alone("write");
  const row = (name, latency, failures) => {
    const of = (way, base) =>
      `${latency[way].p50Ms} / ${latency[way].p99Ms} ms | ${ratio(latency[way].p99Ms, base.p99Ms)}`;
    return `| ${name} | ${of("read", read)} | ${of("write", write)} | ${failures} |`;
  };
  const failed = ({ failures }) => failures.length;
  const idleFailures = idle.reduce((sum, each) => sum + failed(each), 0);
  const spread = (way) => idle.map(({ latency }) => latency.all[way].p99Ms).join(", ");
  return [
    "| beside users (30 writes and 60 reads of 64 KiB a second, at a fixed pace) | read p50 / p99 | ÷ idle | write p50 / p99 | ÷ idle | failed |",
    "|---|---|---|---|---|---|",
    row("nothing else", { read, write }, idleFailures),
    row("a node is gone, repair has not begun", repair.atDefault.latency["node gone"], failed(repair.atDefault)),
    row("the same, another node", repair.unlimited.latency["node gone"], failed(repair.unlimited)),
    row("repair at the default rate", repair.atDefault.latency.copying, failed(repair.atDefault)),
    row("repair without a limit", repair.unlimited.latency.copying, failed(repair.unlimited)),
    row("scrub at the default rate (10 MiB/s a disk)", scrub.atDefault.latency.all, failed(scrub.atDefault)),
    row("scrub without a limit", scrub.unlimited.latency.all, failed(scrub.unlimited)),
    row(
      `collection and compaction at the default rate (${Math.round(collection.result.bytes / MiB)} MiB freed)`,
      collection.latency.all,
      failed(collection),
    ),
    "",
    `The four stretches without anything else had a p99 of ${spread("read")} ms for reads and ${spread("write")} ms for writes: a ratio is no finer than they differ.`,
  ];
}

function startTable({ chunks, groups, startSeconds, residentMiB, MiBPerMillionChunks }) {
  const count = chunks.toLocaleString("en-US");
  return [
    `| one node with ${count} chunks of 4 KiB in ${groups} groups, after kill -9 | until it serves | memory of the node |`,
    "|---|---|---|",
    `| empty node | ${startSeconds.empty} s | ${residentMiB.empty.node} MiB |`,
    `| all groups sealed, indexes present | ${startSeconds.withIndex} s | ${residentMiB.withIndex.node} MiB |`,
    `| as it was killed: newest groups open | ${startSeconds.asKilled} s | ${residentMiB.asKilled.node} MiB |`,
    `| every index rebuilt from its segments | ${startSeconds.rebuilt} s | |`,
    "",
    `Per million chunks: ${MiBPerMillionChunks.node} MiB on the node, ${MiBPerMillionChunks.metadata} MiB on the metadata server (${residentMiB.empty.metadata} MiB empty, ${residentMiB.withIndex.metadata} MiB with ${count} files and chunks).`,
  ];
}

function mib(value) {
  return `${Math.round(value)} MiB/s`;
}

function ratio(value, base) {
  return (value / base).toFixed(2);
}
