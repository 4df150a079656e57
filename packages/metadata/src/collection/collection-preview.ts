import type { CollectionPreview } from "@cairn/protocol";
import type { CollectionGate } from "./collection-gate.ts";
import type { CollectionWorld } from "./collection-world.ts";
import { countGarbage, countOverdue } from "./garbage-counts.ts";
import type { ReconcileRounds } from "./reconcile/reconcile-rounds.ts";

/** What a run would delete and why, from the table and from lists that nodes are asked for; changes nothing anywhere. */
export async function previewCollection(
  world: CollectionWorld,
  parts: { readonly gate: CollectionGate; readonly reconcile: ReconcileRounds },
  signal: AbortSignal,
): Promise<CollectionPreview> {
  const { core, store } = world;
  const graceMs = core.settings.get("collect.grace");
  const before = parts.gate.now() - graceMs;
  const [counts, overdue] = await store.database.read(async (sql) => [
    await countGarbage(sql),
    await countOverdue(sql, before),
  ]);
  const { found, strange } = await parts.reconcile.preview(signal);
  const extra = strange.filter((copy) => copy.known);
  const unknown = strange.length - extra.length;
  const inGrace = counts.unreferenced.chunks - overdue.chunks;
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  return {
    classes: [
      {
        why: "unreferenced",
        chunks: overdue.chunks + counts.condemned.chunks,
        bytes: overdue.bytes + counts.condemned.bytes,
        explanation: `no version has needed them for ${Math.round(graceMs / 3_600_000)} h; ${counts.condemned.chunks} are condemned already, ${inGrace} more are still in their grace`,
      },
      {
        why: "orphan",
        chunks: found.orphans,
        bytes: found.orphanBytes,
        explanation: `copies that were written and never committed, of writers whose leases are closed; ${found.undecided} of open leases are kept, ${found.skipped} copies of groups could not be looked at`,
      },
      {
        why: "extra-copy",
        chunks: sum(extra.map((copy) => copy.records)),
        bytes: sum(extra.map((copy) => copy.bytes)),
        explanation: `${extra.length} copies of groups on disks that are no longer members; each goes when all members were found whole. ${unknown} copies of groups that this cluster does not know are kept`,
      },
    ],
  };
}
