import type { Gauge, Sql } from "@cairn/env";
import type { ClusterHealth, HealthClaim, Job, NodeDuty } from "@cairn/protocol";
import { damagedChunks } from "../cluster/bad-copies.ts";
import { leaderTtlMs } from "../membership/leader-lease.ts";
import { type CopiesVerified, claimsOf, type Evidence } from "./claims.ts";
import { FillHistory, sampleEveryMs } from "./fill-history.ts";
import type { OperationsWorld } from "./operations-world.ts";
import { usableBytes } from "./usable-space.ts";

/** Looks at everything and says what it means, each claim with what it rests on. */
export class HealthReport {
  readonly #world: OperationsWorld;
  readonly #fill: FillHistory;
  readonly #startedAt: { readonly wall: number; readonly monotonic: number };
  readonly #gauges: Readonly<Record<"canLose" | "claims" | "free" | "chunks" | "repairLeft" | "jobs", Gauge>>;
  #notedAt: number | undefined;

  constructor(world: OperationsWorld) {
    this.#world = world;
    const { clock, metrics } = world.env;
    this.#fill = new FillHistory({ clock, database: world.database });
    this.#startedAt = { wall: clock.now(), monotonic: clock.monotonic() };
    this.#gauges = {
      canLose: metrics.gauge(
        "cairn_can_lose_nodes",
        "Node failures that all data survives now; -1: some cannot be read.",
      ),
      claims: metrics.gauge("cairn_health_claim", "Claims of health: 0 good, 1 attention, 2 bad.", ["claim"]),
      free: metrics.gauge("cairn_usable_free_bytes", "Bytes that still fit with all copies."),
      chunks: metrics.gauge("cairn_chunks", "Chunks that versions need, by how many copies can be read.", ["copies"]),
      repairLeft: metrics.gauge("cairn_repair_left_bytes", "Bytes that repair and moves still have to copy."),
      jobs: metrics.gauge("cairn_jobs_running", "Jobs of operators that run."),
    };
  }

  async report(jobs: readonly Job[]): Promise<ClusterHealth> {
    const evidence = await this.#gather();
    const { status, freeBytes, fullInDays, repair, scrub, collection } = evidence;
    const { reduced, unreachable, canLoseNodes } = status.redundancy;
    const claims = claimsOf(evidence);
    this.#set(evidence, claims, jobs.length);
    const safe = unreachable > 0 ? "no" : reduced > 0 ? "reduced" : "yes";
    return { safe, canLoseNodes, freeBytes, fullInDays, claims, repair, scrub, collection, jobs, status };
  }

  /** Brings the measurements up to date where nobody asks. */
  async measure(jobs: number): Promise<void> {
    const evidence = await this.#gather();
    this.#set(evidence, claimsOf(evidence), jobs);
  }

  /** Once an hour, and once after the start. */
  async noteFill(): Promise<void> {
    const now = this.#world.env.clock.monotonic();
    if (this.#notedAt !== undefined && now - this.#notedAt < sampleEveryMs) return;
    await this.#fill.note((await this.#world.reports.status()).chunkBytes);
    this.#notedAt = now;
  }

  async #gather(): Promise<Evidence> {
    const { env, database, core, reports, machinery } = this.#world;
    const { healing, collection, scrub } = machinery;
    const status = await reports.status();
    const duties = new Map([...core.map.nodes()].map(({ node }) => [node, healing.duty(node)] as const));
    const taking = status.nodes.filter(({ node }) => takesData(duties.get(node)));
    const freeBytes = usableBytes(taking, status.copies);
    const growth = await this.#fill.growthPerDay(status.chunkBytes);
    const rows = await database.read(async (sql) => ({
      damaged: (await damagedChunks(sql)).length,
      copies: await copiesVerified(sql),
      leader: await sql.get<{ epoch: number; expires_at: number }>(
        "SELECT epoch, expires_at FROM job_lease WHERE name = 'leader'",
      ),
    }));
    const now = env.clock.now();
    const epoch = rows.leader?.epoch ?? 0;
    return {
      now,
      status,
      groups: [...core.map.groups()].length,
      damagedChunks: rows.damaged,
      duties,
      freeBytes,
      fullInDays: growth === undefined || growth <= 0 ? undefined : freeBytes / growth,
      repair: await healing.repairStatus(),
      collection: await collection.status(),
      scrub: scrub.status(),
      scrubEveryMs: core.settings.get("scrub.every"),
      scrubPaused: core.settings.isOn("scrub.paused"),
      copies: rows.copies,
      leader: {
        epoch,
        held: epoch === core.leader.epoch && (rows.leader?.expires_at ?? 0) > now,
        renewedAt: (rows.leader?.expires_at ?? now) - leaderTtlMs,
      },
      clockDriftMs: now - this.#startedAt.wall - (env.clock.monotonic() - this.#startedAt.monotonic),
      durability: database.durability?.(),
    };
  }

  #set({ status, freeBytes, repair }: Evidence, claims: readonly HealthClaim[], jobs: number): void {
    const { full, reduced, unreachable, canLoseNodes } = status.redundancy;
    const { canLose, chunks, free, repairLeft } = this.#gauges;
    canLose.set(canLoseNodes);
    chunks.set(full, { copies: "all" });
    chunks.set(reduced, { copies: "some" });
    chunks.set(unreachable, { copies: "none" });
    free.set(freeBytes);
    repairLeft.set(Math.max(0, repair.totalBytes - repair.doneBytes));
    this.#gauges.jobs.set(jobs);
    for (const { name, verdict } of claims) {
      this.#gauges.claims.set(["good", "attention", "bad"].indexOf(verdict), { claim: name });
    }
  }
}

function takesData(duty: NodeDuty | undefined): boolean {
  return duty === "active" || duty === "maintenance";
}

/** A copy that was never read in full counts from when its group was made. */
async function copiesVerified(sql: Sql): Promise<CopiesVerified> {
  const row = await sql.get<{ copies: number; verified: number; oldest: number | null }>(
    `SELECT count(*) AS copies, count(group_copy.verified_at) AS verified,
       min(coalesce(group_copy.verified_at, grp.created_at)) AS oldest
     FROM grp_slot JOIN grp ON grp.id = grp_slot.grp
     LEFT JOIN group_copy ON group_copy.grp = grp_slot.grp AND group_copy.disk = grp_slot.disk`,
  );
  return { copies: row?.copies ?? 0, verified: row?.verified ?? 0, oldestAt: row?.oldest ?? undefined };
}
