import { createHash } from "node:crypto";
import type { Findings } from "../findings.ts";
import type { Pulse } from "../pulse.ts";
import type { Snapshot } from "./database.ts";
import { hexOf } from "./hash-column.ts";
import { lengthAt, manifestEntryBytes, pageEntries, pagesOf } from "./manifests.ts";

const inlineEntriesMax = 128;

interface VersionRow {
  readonly id: Uint8Array;
  readonly entry: Uint8Array;
  readonly size: number;
  readonly chunks: number;
  readonly etag: Uint8Array;
  readonly manifest: Uint8Array | null;
}

/** What a manifest amounts to: docs/formats/metadata.md says how the etag is made. */
interface Sum {
  readonly chunks: number;
  readonly size: number;
  readonly etag: Uint8Array;
  readonly wrong: string | undefined;
}

/** Adds up every manifest and compares it with what its version or part says of it. */
export async function checkVersions(snapshot: Snapshot, findings: Findings, pulse: Pulse): Promise<number> {
  let versions = 0;
  const text = "SELECT id, entry, size, chunks, etag, manifest FROM version";
  for (const row of snapshot.rows<VersionRow>(text)) {
    versions++;
    const sum = row.manifest === null ? sumOfPages(snapshot, row.id) : sumOfInline(row.manifest);
    tell(findings, row, {
      sum,
      what: `version ${hexOf(row.id)}`,
      details: { version: hexOf(row.id), entry: hexOf(row.entry) },
    });
    pulse.advance({ done: 1 });
    await pulse.beat();
  }
  const parts = "SELECT upload, part, size, chunks, etag, manifest FROM upload_part";
  for (const row of snapshot.rows<PartRow>(parts)) {
    const what = `part ${row.part} of upload ${hexOf(row.upload)}`;
    const details = { upload: hexOf(row.upload), part: row.part };
    tell(findings, row, { sum: sumOf([row.manifest]), what, details });
    await pulse.beat();
  }
  checkRelations(snapshot, findings);
  return versions;
}

interface PartRow extends Omit<VersionRow, "id" | "entry" | "manifest"> {
  readonly upload: Uint8Array;
  readonly part: number;
  readonly manifest: Uint8Array;
}

function tell(
  findings: Findings,
  row: Pick<VersionRow, "size" | "chunks" | "etag">,
  it: { readonly sum: Sum; readonly what: string; readonly details: Readonly<Record<string, string | number>> },
): void {
  const { sum, what, details } = it;
  const wrong = sum.wrong ?? disagreement(row, sum);
  if (wrong === undefined) return;
  findings.add({ kind: "version-broken", message: `${what}: ${wrong}`, details, bytes: row.size });
}

function disagreement(row: Pick<VersionRow, "size" | "chunks" | "etag">, sum: Sum): string | undefined {
  if (sum.chunks !== row.chunks) return `it says ${row.chunks} chunks, its manifest has ${sum.chunks}`;
  if (sum.size !== row.size) return `it says ${row.size} bytes, its manifest adds up to ${sum.size}`;
  return Buffer.compare(sum.etag, row.etag) === 0 ? undefined : "its etag is not that of its manifest";
}

function sumOfInline(manifest: Uint8Array): Sum {
  const sum = sumOf([manifest]);
  return sum.chunks > inlineEntriesMax
    ? { ...sum, wrong: `${sum.chunks} chunks stand beside it instead of in pages` }
    : sum;
}

function sumOfPages(snapshot: Snapshot, version: Uint8Array): Sum {
  const pages: Uint8Array[] = [];
  let [firstByte, wrong]: [number, string | undefined] = [0, undefined];
  const found = [...pagesOf(snapshot, version)];
  for (const [index, page] of found.entries()) {
    const isLast = index === found.length - 1;
    const full = page.data.length === pageEntries * manifestEntryBytes;
    if (page.page !== index || page.first_chunk !== index * pageEntries)
      wrong ??= `page ${index} of its manifest is missing`;
    else if (page.first_byte !== firstByte)
      wrong ??= `page ${index} says that it begins at ${page.first_byte}, not ${firstByte}`;
    else if (!full && !isLast) wrong ??= `page ${index} of its manifest is too short`;
    firstByte += sizeOf(page.data);
    pages.push(page.data);
  }
  const sum = sumOf(pages);
  return { ...sum, wrong: wrong ?? sum.wrong };
}

function sumOf(runs: readonly Uint8Array[]): Sum {
  let [chunks, size, wrong]: [number, number, string | undefined] = [0, 0, undefined];
  const whole = createHash("sha256");
  for (const run of runs) {
    if (run.length % manifestEntryBytes !== 0) wrong = "its manifest does not consist of whole entries";
    const entries = Math.floor(run.length / manifestEntryBytes);
    chunks += entries;
    size += sizeOf(run);
    if (entries === 0) continue;
    const hashed = createHash("sha256");
    for (let index = 0; index < entries; index++) {
      hashed.update(run.subarray(index * manifestEntryBytes, index * manifestEntryBytes + 36));
    }
    whole.update(hashed.digest());
  }
  const end = Buffer.alloc(8);
  end.writeBigUInt64LE(BigInt(size));
  return { chunks, size, etag: whole.update(end).digest(), wrong };
}

function sizeOf(run: Uint8Array): number {
  let size = 0;
  for (let at = 0; at + manifestEntryBytes <= run.length; at += manifestEntryBytes) size += lengthAt(run, at);
  return size;
}

/** Rows that name one another. */
function checkRelations(snapshot: Snapshot, findings: Findings): void {
  const relations: readonly (readonly [text: string, words: string])[] = [
    ["SELECT v.id FROM version v LEFT JOIN entry e ON e.id = v.entry WHERE e.id IS NULL", "its entry is not there"],
    [
      "SELECT v.id FROM version v LEFT JOIN doomed d ON d.version = v.id WHERE v.state = 1 AND d.version IS NULL",
      "it is doomed, and nothing says how far that came",
    ],
    [
      "SELECT d.version AS id FROM doomed d LEFT JOIN version v ON v.id = d.version WHERE v.id IS NULL",
      "it is doomed and not there",
    ],
    [
      "SELECT v.id FROM version v JOIN doomed d ON d.version = v.id WHERE v.state <> 1 OR d.cursor < 0 OR d.cursor > v.chunks",
      "it is doomed from a chunk on that it does not have",
    ],
    [
      "SELECT DISTINCT p.version AS id FROM manifest_page p LEFT JOIN version v ON v.id = p.version WHERE v.id IS NULL OR v.manifest IS NOT NULL",
      "pages of a manifest belong to no version that has pages",
    ],
    [
      "SELECT DISTINCT p.upload AS id FROM upload_part p LEFT JOIN upload u ON u.id = p.upload WHERE u.id IS NULL",
      "parts belong to an upload that is not there",
    ],
  ];
  for (const [text, words] of relations) {
    for (const { id } of snapshot.rows<{ id: Uint8Array }>(text)) {
      findings.add({ kind: "version-broken", message: `${hexOf(id)}: ${words}`, details: { id: hexOf(id) } });
    }
  }
}
