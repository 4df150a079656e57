import type { Findings } from "../findings.ts";
import type { Pulse } from "../pulse.ts";
import { type ChunkRows, chunkState, chunksBetween, stickyReferences } from "./chunk-rows.ts";
import type { Snapshot } from "./database.ts";
import { hexOf } from "./hash-column.ts";
import { lengthAt, type ManifestOwner, manifestEntryBytes, referencesOf } from "./manifests.ts";

/** Rows counted in one pass over all manifests: about 60 bytes each. */
export const rowsPerPassDefault = 1_000_000;

/**
 * Counts all references anew and compares them with `chunk.refs`. Hashes are spread evenly, so that a range of them has
 * its share of the rows: each pass reads all manifests and counts one range, and memory stays the same for any cluster.
 */
export async function checkReferences(
  snapshot: Snapshot,
  findings: Findings,
  { pulse, rowsPerPass = rowsPerPassDefault }: { readonly pulse: Pulse; readonly rowsPerPass?: number | undefined },
): Promise<{ readonly chunks: number; readonly references: number }> {
  const chunks = Number(snapshot.get<{ n: number }>("SELECT COUNT(*) AS n FROM chunk")?.n ?? 0);
  const passes = Math.max(1, Math.ceil(chunks / rowsPerPass));
  let references = 0;
  pulse.begin("references", passes);
  for (let pass = 0; pass < passes; pass++) {
    const [from, to] = [bound(pass, passes), bound(pass + 1, passes)];
    const rows = chunksBetween(snapshot, boundHash(from), to > 0xffff_ffff ? undefined : boundHash(to));
    const counted = new Float64Array(rows.hashes.count);
    for (const { owner, entries } of referencesOf(snapshot)) {
      const view = new DataView(entries.buffer, entries.byteOffset, entries.length);
      for (let at = 0; at + manifestEntryBytes <= entries.length; at += manifestEntryBytes) {
        const prefix = view.getUint32(at, false);
        if (prefix < from || prefix >= to) continue;
        references++;
        const index = rows.hashes.find(entries, at);
        if (index >= 0) counted[index] = (counted[index] ?? 0) + 1;
        const wrong = wrongReference(rows, index, lengthAt(entries, at));
        if (wrong !== undefined) tellReference(findings, { owner, chunk: hexOf(entries.subarray(at, at + 32)), wrong });
      }
      await pulse.beat();
    }
    compare(rows, counted, findings);
    pulse.advance({ done: 1 });
    await pulse.pause();
  }
  return { chunks, references };
}

function bound(pass: number, passes: number): number {
  return Math.ceil((pass / passes) * 2 ** 32);
}

function boundHash(prefix: number): Uint8Array {
  const hash = new Uint8Array(32);
  new DataView(hash.buffer).setUint32(0, prefix, false);
  return hash;
}

function wrongReference(rows: ChunkRows, index: number, length: number): string | undefined {
  if (index < 0) return "there is no row of it";
  if (rows.lengths[index] !== length) return `its row says ${rows.lengths[index]} bytes, the manifest ${length}`;
  if (rows.states[index] === chunkState.condemned) return "it is condemned";
  return undefined;
}

function tellReference(findings: Findings, it: { owner: ManifestOwner; chunk: string; wrong: string }): void {
  const { owner, chunk, wrong } = it;
  findings.add({
    kind: "reference-without-chunk",
    message: `${describeOwner(owner)} needs chunk ${chunk}, and ${wrong}`,
    details: { chunk, ...ownerDetails(owner) },
  });
}

function compare(rows: ChunkRows, counted: Float64Array, findings: Findings): void {
  for (let index = 0; index < counted.length; index++) {
    const [refs = 0, count = 0] = [rows.references[index], counted[index]];
    if (refs === count || refs >= stickyReferences) continue;
    const chunk = rows.hashes.hexAt(index);
    findings.add({
      kind: "refs-wrong",
      message: `chunk ${chunk} has refs ${refs}, and manifests name it ${count} times`,
      details: { chunk, refs, counted: count },
      bytes: rows.lengths[index] ?? 0,
    });
  }
}

/** For people: whose manifest it is. */
export function describeOwner(owner: ManifestOwner): string {
  return "version" in owner
    ? `version ${hexOf(owner.version)} of entry ${hexOf(owner.entry)}`
    : `part ${owner.part} of upload ${hexOf(owner.upload)}`;
}

function ownerDetails(owner: ManifestOwner): Readonly<Record<string, string | number>> {
  return "version" in owner
    ? { version: hexOf(owner.version), entry: hexOf(owner.entry) }
    : { upload: hexOf(owner.upload), part: owner.part };
}
