import type { Sql } from "@cairn/env";
import { type Generation, type GroupId, leaseOfGeneration, StorageError, toHex } from "@cairn/protocol";
import { stickyReferences } from "../../commit/chunk-ledger.ts";
import { closedLeases } from "../../lease/closed-leases.ts";
import type { Transaction } from "../../sql/transaction.ts";
import type { CollectionGate } from "../collection-gate.ts";
import type { CollectionWorld } from "../collection-world.ts";
import { noteTime } from "../tally.ts";
import { chunksAtOnce, countRange, type Miscount, rangesFor } from "./reference-count.ts";

/** What an audit found and did. */
export interface AuditReport {
  readonly chunks: number;
  readonly raised: number;
  readonly lowered: number;
  /** Too many references, seen for the first time: the next audit lowers them if it sees the same. */
  readonly suspected: number;
  /** Chunks that manifests name and that have no row, or a row that was condemned. */
  readonly lost: number;
}

/** More miscounts than this are no miscounts: somebody has to look. */
const miscountsMax = 100_000;
/** Rows changed in one transaction. */
const mendedAtOnce = 200;
const pauseMs = 5;
/** Hashes that an event names. */
const namedMax = 20;

/**
 * Counts all references anew and mends what is wrong. It raises at once, since too few references delete data, and lowers
 * only what two audits in a row found the same. Whatever goes wrong while it counts ends it before anything is changed.
 */
export class ReferenceAudit {
  readonly #world: CollectionWorld;
  readonly #gate: CollectionGate;
  readonly #chunksAtOnce: number;

  constructor(world: CollectionWorld, gate: CollectionGate, options: { readonly chunksAtOnce?: number } = {}) {
    this.#world = world;
    this.#gate = gate;
    this.#chunksAtOnce = options.chunksAtOnce ?? chunksAtOnce;
  }

  /** Throws corrupt (a manifest cannot be read), cancelled, and as the database does; then nothing was changed. */
  async run(signal: AbortSignal): Promise<AuditReport> {
    const { store, core } = this.#world;
    const chunks = await store.database.read(countRows);
    const miscounts: Miscount[] = [];
    for (const range of rangesFor(chunks, this.#chunksAtOnce)) {
      miscounts.push(...(await this.#snapshot((sql) => countRange(sql, range, signal))));
      if (miscounts.length > miscountsMax) throw tooMany(miscounts.length);
    }
    const raised = miscounts.filter((one) => one.known && one.difference > 0);
    const lowered = miscounts.filter((one) => one.difference < 0);
    const unknown = miscounts.filter((one) => !one.known);
    const lost = [...unknown, ...(await this.#mend(raised, raise, signal))];
    const before = await store.database.read(findingsOf);
    const agreed = lowered.filter((one) => before.get(toHex(one.hash)) === agreementOf(one));
    const suspected = lowered.filter((one) => !agreed.includes(one));
    await this.#mend(agreed, lower, signal);
    await this.#keepFindings(suspected);
    const report = {
      chunks,
      raised: raised.length,
      lowered: agreed.length,
      suspected: suspected.length,
      lost: lost.length,
    };
    if (miscounts.length > 0) await this.#tell(report, lost);
    core.events.wake();
    return report;
  }

  #snapshot<Result>(work: (sql: Sql) => Promise<Result>): Promise<Result> {
    const { database } = this.#world.store;
    return database.snapshot ? database.snapshot(work) : database.read(work);
  }

  /** A few chunks in each transaction; tells those that cannot be mended. */
  async #mend(
    miscounts: readonly Miscount[],
    mend: (tx: Transaction, miscount: Miscount) => Promise<boolean>,
    signal: AbortSignal,
  ): Promise<Miscount[]> {
    const { store } = this.#world;
    const lost: Miscount[] = [];
    for (let start = 0; start < miscounts.length; start += mendedAtOnce) {
      const batch = miscounts.slice(start, start + mendedAtOnce);
      const failed = await store.queue.submit(async (tx) => {
        await this.#gate.guard(tx.sql);
        const bad: Miscount[] = [];
        for (const miscount of batch) if (!(await mend(tx, miscount))) bad.push(miscount);
        return bad;
      }, 3 * batch.length);
      lost.push(...failed);
      await store.clock.sleep(pauseMs, signal);
    }
    return lost;
  }

  /** The findings of this audit take the place of the last one's. */
  async #keepFindings(suspected: readonly Miscount[]): Promise<void> {
    await this.#world.core.leaderWrites.run(async (sql) => {
      await sql.run("DELETE FROM audit_finding");
      for (const { hash, generation, difference } of suspected) {
        await sql.run(
          "INSERT INTO audit_finding (hash, generation, difference) VALUES (?, ?, ?)",
          hash,
          generation,
          difference,
        );
      }
      await noteTime(sql, "lastAuditAt", this.#world.store.clock.now());
    });
  }

  #tell(report: AuditReport, lost: readonly Miscount[]): Promise<void> {
    const { raised, lowered, suspected } = report;
    return this.#world.core.events.tell({
      severity: lost.length > 0 ? "error" : "warning",
      kind: "audit.miscounted",
      subject: "cluster",
      message: `references of chunks: ${raised} raised, ${lowered} lowered, ${suspected} to be looked at again, ${lost.length} lost`,
      details: { ...report, lostChunks: lost.slice(0, namedMax).map(({ hash }) => toHex(hash)) },
    });
  }
}

interface MendedRow {
  readonly refs: number;
  readonly grp: number;
  readonly length: number;
  readonly state: number;
  readonly generation: number;
}

/** False when the chunk was condemned already: its bytes may be gone. Then it is lost until it is written again. */
async function raise(tx: Transaction, { hash, difference }: Miscount): Promise<boolean> {
  const [row] = await tx.returning<MendedRow>(
    `UPDATE chunk SET state = CASE WHEN state = 1 THEN 2 ELSE state END, zero_at = NULL,
       refs = CASE WHEN refs + ? >= ${stickyReferences} THEN ${stickyReferences} ELSE refs + ? END
     WHERE hash = ? AND refs < ${stickyReferences} RETURNING refs, grp, length, state, generation`,
    difference,
    difference,
    hash,
  );
  if (!row) return (await tx.get("SELECT hash FROM chunk WHERE hash = ?", hash)) !== undefined;
  if (row.refs === difference) tx.addGroupUsage(row.grp as GroupId, { chunks: 1, bytes: row.length });
  if (row.state !== 2) return true;
  // No delete is sent any more; the write cannot be committed again when its lease is closed.
  const lease = leaseOfGeneration(row.generation as Generation);
  if ((await closedLeases(tx.sql, [lease])).has(lease)) {
    await tx.run("DELETE FROM condemned WHERE hash = ? AND generation = ?", hash, row.generation);
  }
  return false;
}

/** Never below nothing. */
async function lower(tx: Transaction, { hash, difference }: Miscount): Promise<boolean> {
  const [row] = await tx.returning<MendedRow>(
    `UPDATE chunk SET zero_at = CASE WHEN refs + ? = 0 THEN ? ELSE zero_at END, refs = refs + ?
     WHERE hash = ? AND refs < ${stickyReferences} AND refs + ? >= 0
     RETURNING refs, grp, length, state, generation`,
    difference,
    tx.now,
    difference,
    hash,
    difference,
  );
  if (row?.refs === 0) tx.addGroupUsage(row.grp as GroupId, { chunks: -1, bytes: -row.length });
  return true;
}

async function countRows(sql: Sql): Promise<number> {
  const row = await sql.get<{ count: number }>("SELECT COUNT(*) AS count FROM chunk");
  return Number(row?.count ?? 0);
}

/** What the last audit suspected, by hash. */
async function findingsOf(sql: Sql): Promise<Map<string, string>> {
  const rows = await sql.all<{ hash: Uint8Array; generation: number; difference: number }>(
    "SELECT hash, generation, difference FROM audit_finding",
  );
  return new Map(rows.map((row) => [toHex(row.hash), agreementOf(row)]));
}

function agreementOf({ generation, difference }: Pick<Miscount, "generation" | "difference">): string {
  return `${generation} ${difference}`;
}

function tooMany(count: number): StorageError {
  return new StorageError("corrupt", "count references", `${count} chunks have wrong references`, {
    hint: "Nothing was changed. Restore a backup of the metadata, or compare database and nodes with cairn fsck.",
  });
}
