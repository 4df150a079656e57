// Turns the stored results into the tables of docs/performance.md.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MiB } from "./measure.mjs";

const document = fileURLToPath(new URL("../docs/performance.md", import.meta.url));
const start = "<!-- figures: written by npm run bench -->";
const end = "<!-- end of figures -->";

/** Replaces the part of the document between the marks by the newest figures, and prints them. */
export function writeTable(resultsFolder) {
  const parts = ["ram", "disk"]
    .map((name) => join(resultsFolder, `${name}.json`))
    .filter((file) => existsSync(file))
    .map((file) => section(file.includes("ram") ? "In memory" : "On a disk", JSON.parse(readFileSync(file, "utf8"))));
  const text = readFileSync(document, "utf8");
  const before = text.slice(0, text.indexOf(start) + start.length);
  const after = text.slice(text.indexOf(end));
  writeFileSync(document, `${before}\n\n${parts.join("\n")}\n${after}`);
  console.log(parts.join("\n"));
}

/** The figures of one run as a table in Markdown. */
export function section(title, result) {
  const { ceilings, cairn, metadata, machine, sizes } = result;
  const diskShare = ceilings.disk.MiBps;
  const rows = [
    [
      "large file, upload",
      `${mib(cairn.large.upload.MiBps)}`,
      `bare PUT of 1 MiB to both: ${mib(ceilings.bare.putMiB)}`,
      cairn.large.upload.MiBps / ceilings.bare.putMiB,
    ],
    ["", "", `disk, same bytes × ${result.copies}, synced: ${mib(diskShare)}`, cairn.large.upload.MiBps / diskShare],
    [
      "large file, download",
      mib(cairn.large.download.MiBps),
      `bare GET of 1 MiB: ${mib(ceilings.bare.getMiB)}`,
      cairn.large.download.MiBps / ceilings.bare.getMiB,
    ],
    [
      "4 KiB files, upload",
      persec(cairn.small.upload.perSecond),
      `bare PUT of 4 KiB to both: ${persec(ceilings.bare.put4KiB)}`,
      cairn.small.upload.perSecond / ceilings.bare.put4KiB,
    ],
    [
      "4 KiB files, download",
      persec(cairn.small.download.perSecond),
      `bare GET of 4 KiB: ${persec(ceilings.bare.get4KiB)}`,
      cairn.small.download.perSecond / ceilings.bare.get4KiB,
    ],
    [
      "64 KiB files, upload",
      persec(cairn.medium.upload.perSecond),
      `bare PUT of 64 KiB to both: ${persec(ceilings.bare.put64KiB)}`,
      cairn.medium.upload.perSecond / ceilings.bare.put64KiB,
    ],
    [
      "64 KiB files, download",
      persec(cairn.medium.download.perSecond),
      `bare GET of 64 KiB: ${persec(ceilings.bare.get64KiB)}`,
      cairn.medium.download.perSecond / ceilings.bare.get64KiB,
    ],
    [
      "known content again",
      mib(cairn.known.MiBps),
      `${cairn.known.networkBytes} of ${cairn.known.bytes} bytes sent to nodes`,
      undefined,
    ],
    ["metadata commits, in groups", persec(metadata.commitsPerSecond), "", undefined],
    ["page of 1,000 entries, folder of 10,000", `${metadata.page10k.p50Ms} ms p50`, "", undefined],
    ["page of 1,000 entries, folder of 100,000", `${metadata.page100k.p50Ms} ms p50`, "", undefined],
  ];
  return [
    `### ${title}`,
    "",
    `${machine.cores} cores (${machine.cpu}), ${machine.memoryGiB} GiB, ${machine.platform}, Node ${result.node}, commit ${result.commit}, ${result.at.slice(0, 10)}; one fdatasync of 4 KiB takes ${ceilings.disk.syncMs} ms; SHA-256 ${mib(ceilings.hash.MiBps)} on one core.`,
    "",
    "| work | Cairn | ceiling in the same run | ratio |",
    "|---|---|---|---|",
    ...rows.map(
      ([work, figure, ceiling, ratio]) =>
        `| ${work} | ${figure} | ${ceiling} | ${ratio === undefined ? "" : ratio.toFixed(2)} |`,
    ),
    "",
    ...usageTable("Upload of the large file", cairn.large.upload.usage, sizes.largeBytes),
    ...usageTable("Download of the large file", cairn.large.download.usage, sizes.largeBytes),
  ].join("\n");
}

function usageTable(title, usage, bytes) {
  const known = Object.entries(usage).filter(([, value]) => value);
  if (known.length === 0) return [];
  const perGiB = bytes / MiB / 1024 || 1;
  return [
    `${title}: processor seconds per GiB and peak memory of each process: ${known
      .map(([name, { cpuSeconds, peakMiB }]) => `${name} ${(cpuSeconds / perGiB).toFixed(1)} s, ${peakMiB} MiB`)
      .join(" · ")}.`,
    "",
  ];
}

function mib(value) {
  return `${Math.round(value)} MiB/s`;
}

function persec(value) {
  return `${Math.round(value).toLocaleString("en-US")}/s`;
}
