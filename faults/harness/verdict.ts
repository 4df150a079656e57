import type { CairnClient } from "@cairn/client";
import { mustBeAbsent, mustExist } from "../ledger/legal-reads.ts";
import type { RowContext } from "../run/row-context.ts";
import type { FaultCluster } from "./fault-cluster.ts";
import { fsck } from "./fsck.ts";
import type { Workload } from "./workload.ts";

const cleanMs = 60_000;
const redundantMs = 120_000;

export interface VerdictOptions {
  /** Whether all copies must come back without any command. Default: true. */
  readonly redundant?: boolean;
  /** How often an operation may fail while the fault lasts: share of all. Default: no bound. */
  readonly failuresMax?: number;
  /** Whether fsck is asked. Default: true. */
  readonly fsck?: boolean;
}

/**
 * What must hold after every fault that is over: all requests succeed again within a minute (P7), every read is legal and
 * every listing complete (O1, O3), all copies are back, and fsck finds nothing (O4).
 */
export async function judgeAll(
  context: RowContext,
  cluster: FaultCluster,
  { workload, ...options }: VerdictOptions & { workload: Workload },
): Promise<void> {
  await workload.stop();
  const { counts } = workload;
  context.note("changes acknowledged", counts.ok);
  context.note("unknown", counts.unknown);
  context.note("reads", counts.reads);
  context.note("failed reads", counts.readsFailed);
  context.note("longest ms", counts.longestMs);
  const wrong = counts.unknown + counts.failed + counts.readsFailed;
  if (options.failuresMax !== undefined) {
    const share = wrong / Math.max(1, wrong + counts.ok + counts.reads - counts.readsFailed);
    const some = workload.errors.slice(-3).join(" · ");
    context.expect(
      "O11",
      share <= options.failuresMax,
      `${wrong} operations failed (${(share * 100).toFixed(2)} %): ${some}`,
    );
  }
  const client = cluster.client();
  await servesAgain(context, client, workload);
  await readEverything(context, client, workload);
  await listEverything(context, client, workload);
  if (options.redundant !== false) await redundantAgain(context, client);
  checkLogs(context, cluster);
  if (options.fsck !== false) await fsck(context, cluster);
}

/** P7: a write and a read succeed within a minute after the last fault. */
export async function servesAgain(context: RowContext, client: CairnClient, workload: Workload): Promise<void> {
  const spent = await context.becomes(async () => {
    const { outcome } = await workload.put(0, "c0-k0", 3000);
    return outcome === "ok" && (await workload.read(client, "c0-k0"));
  }, cleanMs);
  const last = workload.errors.at(-1) ?? "";
  context.expect("O11", spent !== undefined, `no write succeeds a minute after the fault was over: ${last}`);
  if (spent !== undefined) context.note("serves again after ms", spent);
}

/** O1: every key is read, and what is seen is legal. */
export async function readEverything(context: RowContext, client: CairnClient, workload: Workload): Promise<void> {
  for (const key of keysOf(workload)) {
    const before = context.failures.length;
    const readable = await workload.read(client, key);
    const told = context.failures.length > before;
    context.expect("O1", readable || told, `${key} cannot be read: ${workload.errors.at(-1)}`);
  }
  const lost = context.failures.filter((failure) => /^O1: (lost|stale)/.test(failure)).length;
  context.note("acknowledged changes lost", lost);
}

/** O3: pages of 7, each name once and in order; nothing missing, nothing that was deleted for sure. */
export async function listEverything(context: RowContext, client: CairnClient, workload: Workload): Promise<void> {
  const names: string[] = [];
  for await (const { name } of client.listAll(workload.folder, { pageSize: 7 })) names.push(name);
  const sorted = names.every(
    (name, index) => index === 0 || Buffer.compare(Buffer.from(names[index - 1] ?? ""), Buffer.from(name)) < 0,
  );
  context.expect("O3", sorted, "the pages are out of order or name something twice");
  const listed = new Set(names);
  const keys = keysOf(workload);
  const lost = keys.filter((key) => mustExist(workload.changesOf(key)) && !listed.has(key));
  context.expect("O3", lost.length === 0, `not listed: ${lost.join(", ")}`);
  const surplus = names.filter((name) => !keys.includes(name) || mustBeAbsent(workload.changesOf(name)));
  context.expect("O3", surplus.length === 0, `listed though deleted or never written: ${surplus.join(", ")}`);
}

/** Every chunk has all its copies on nodes that answer, without any command. */
export async function redundantAgain(context: RowContext, client: CairnClient, limitMs = redundantMs): Promise<void> {
  const spent = await context.becomes(async () => (await client.operations.health()).safe === "yes", limitMs);
  if (spent !== undefined) context.note("redundant again after ms", spent);
  const { safe, claims, repair } = await client.operations.health();
  const why = claims.filter(({ verdict }) => verdict !== "good").map(({ message }) => message);
  context.expect(
    "O11",
    spent !== undefined,
    `not redundant after ${limitMs / 1000} s: ${safe}; ${why.join("; ")}; repair ${repair.state}`,
  );
}

/** O8: no process met a failure that it had no answer to. */
export function checkLogs(context: RowContext, cluster: FaultCluster): void {
  for (const { name, output } of cluster.parts) {
    const line = output.split("\n").find((it) => /unhandled|uncaught|assertion failed|unexpected error/i.test(it));
    context.expect("O8", line === undefined, `${name} logged: ${line?.slice(0, 300)}`);
  }
}

function keysOf(workload: Workload): readonly string[] {
  return [...new Set(workload.ledger.entries.map(({ key }) => key))].sort();
}
