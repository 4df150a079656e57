import type { Env, SqlDatabase } from "@cairn/env";
import { AccessControl } from "../auth/access-control.ts";
import { adoptCluster, type ClusterIdentity } from "../cluster/cluster-identity.ts";
import { ClusterMap } from "../cluster/cluster-map.ts";
import { ClusterReports, type ReportsOptions } from "../cluster/cluster-reports.ts";
import { GroupedWrites } from "../cluster/grouped-writes.ts";
import { NoDelete } from "../cluster/no-delete.ts";
import { EventLog } from "../events/event-log.ts";
import { LeaderWrites } from "../healing/leader-writes.ts";
import { Readiness } from "../healing/readiness.ts";
import { pruneClosedLeases } from "../lease/closed-leases.ts";
import { ReceiptVerifier } from "../lease/receipt-verifier.ts";
import { WriteLeases } from "../lease/write-leases.ts";
import { CopyBoard } from "../membership/copy-board.ts";
import { HealthBoard } from "../membership/health-board.ts";
import { HeartbeatDesk } from "../membership/heartbeat-desk.ts";
import { LeaderLease, leaderRenewMs } from "../membership/leader-lease.ts";
import { LiveProcessProbe } from "../membership/live-process-probe.ts";
import { MembershipServer } from "../membership/membership-server.ts";
import { NodeDuties } from "../membership/node-duty.ts";
import { NodeRegistry } from "../membership/node-registry.ts";
import { ScrubBoard } from "../membership/scrub-board.ts";
import { TokenSigner } from "../membership/token-signer.ts";
import { GroupPlacement } from "../placement/group-placement.ts";
import { GroupViewCache } from "../placement/group-view-cache.ts";
import { Settings } from "../settings/settings.ts";
import type { MaintenanceJob } from "./maintenance.ts";
import type { MetadataKeys } from "./metadata-keys.ts";

export interface ClusterCoreOptions {
  readonly keys: MetadataKeys;
  /** True when this start made the keys: only then may the database be one that no cluster has used yet. */
  readonly keysAreNew: boolean;
  /** Take the lead of maintenance at once; right where a file lock keeps other metadata servers away. */
  readonly overtake: boolean;
}

/** Of use to people who look at the database, and to nobody else. */
const closedLeasesKeptMs = 86_400_000;
const commitLogKeptMs = 86_400_000;
const commitLogBatch = 5000;

/** Everything of the metadata server that is not the namespace: nodes, groups, leases, receipts, tokens, access. */
export class ClusterCore {
  readonly identity: ClusterIdentity;
  readonly map: ClusterMap;
  readonly health: HealthBoard;
  readonly leader: LeaderLease;
  readonly signer: TokenSigner;
  readonly access: AccessControl;
  readonly placement: GroupPlacement;
  readonly leases: WriteLeases;
  readonly receipts: ReceiptVerifier;
  readonly views: GroupViewCache;
  readonly membership: MembershipServer;
  readonly settings: Settings;
  readonly events: EventLog;
  readonly noDelete: NoDelete;
  readonly copies: CopyBoard;
  readonly scrubs: ScrubBoard = new ScrubBoard();
  readonly leaderWrites: LeaderWrites;
  readonly duties: NodeDuties;
  readonly readiness: Readiness;
  readonly #env: Env;
  readonly #database: SqlDatabase;
  readonly #writes: GroupedWrites;

  private constructor(env: Env, database: SqlDatabase, parts: Parts) {
    const { clock, hasher } = env;
    const { identity, map, leader, keys } = parts;
    this.#env = env;
    this.#database = database;
    this.#writes = new GroupedWrites(database);
    this.identity = identity;
    this.map = map;
    this.leader = leader;
    this.settings = parts.settings;
    this.events = new EventLog({ clock, database });
    this.noDelete = parts.noDelete;
    this.copies = new CopyBoard(clock);
    this.health = new HealthBoard(clock);
    for (const { node } of map.nodes()) this.health.watch(node);
    this.leaderWrites = new LeaderWrites({ database, leader, events: this.events });
    this.duties = new NodeDuties({ clock, map, leaderWrites: this.leaderWrites });
    this.readiness = new Readiness({ ...this, clock });
    this.signer = new TokenSigner(env, keys, { identity, epoch: leader.epoch });
    this.access = new AccessControl(env, database);
    const world = { ...env, database, map, health: this.health, writes: this.#writes, signer: this.signer };
    this.placement = new GroupPlacement(world);
    this.leases = new WriteLeases({ ...world, placement: this.placement });
    this.receipts = new ReceiptVerifier(hasher, map);
    this.views = new GroupViewCache(clock, { map, health: this.health }, this.signer);
    const probe = new LiveProcessProbe(env.network, this.signer);
    const registry = new NodeRegistry({ ...world, keys, access: this.access, probe });
    const { incarnation } = identity;
    const { copies, events, noDelete, scrubs, settings } = this;
    const boards = { copies, events, noDelete, scrubs, settings };
    const heartbeats = new HeartbeatDesk({ ...world, ...boards, registry, incarnation });
    this.membership = new MembershipServer(registry, heartbeats);
  }

  /** Opens a database that `migrate` has been run on. Throws conflict (foreign or missing database), unavailable (led elsewhere). */
  static async open(env: Env, database: SqlDatabase, options: ClusterCoreOptions): Promise<ClusterCore> {
    const identity = await adoptCluster(database, options.keys, options.keysAreNew);
    const leader = await LeaderLease.take({ ...env, database }, options);
    const map = await ClusterMap.load(database);
    const settings = await Settings.load({ clock: env.clock, database });
    const noDelete = await NoDelete.load(database);
    const core = new ClusterCore(env, database, { identity, map, leader, settings, noDelete, keys: options.keys });
    await core.leases.extendOpen();
    return core;
  }

  /** The answers about the cluster; the listing of a file's chunks comes from the namespace. */
  reports(options: Omit<ReportsOptions, "cluster">): ClusterReports {
    const { map, health } = this;
    const world = { clock: this.#env.clock, database: this.#database, writes: this.#writes, map, health };
    return new ClusterReports(world, { ...options, cluster: this.identity.cluster });
  }

  /** What is to be done again and again; hand it to startMaintenance with the jobs of the namespace. */
  jobs(): readonly MaintenanceJob[] {
    return [
      { name: "lead", everyMs: leaderRenewMs, run: () => this.leader.renew() },
      { name: "close-leases", everyMs: 5000, run: async () => void (await this.leases.closeExpired()) },
      { name: "watch-nodes", everyMs: 1000, run: async () => this.#watchNodes() },
      { name: "watch-readiness", everyMs: 1000, run: () => this.readiness.look() },
      { name: "end-maintenance", everyMs: 5000, run: () => this.duties.endMaintenance() },
      { name: "forget-leases", everyMs: 600_000, run: (signal) => this.#forgetLeases(signal) },
      { name: "forget-commits", everyMs: 600_000, run: (signal) => this.#forgetCommits(signal) },
      { name: "forget-events", everyMs: 600_000, run: () => this.events.prune(this.settings.get("events.kept")) },
    ];
  }

  #watchNodes(): void {
    const gauge = this.#env.metrics.gauge("cairn_nodes", "Storage nodes by health.", ["health"]);
    const counts = { online: 0, suspect: 0, down: 0 };
    for (const { node } of this.map.nodes()) counts[this.health.health(node)]++;
    for (const [health, count] of Object.entries(counts)) gauge.set(count, { health });
    for (const change of this.health.changes()) {
      const { node, health } = change;
      if (health === "online") this.#env.log.info({ node }, "a storage node is online");
      else this.#env.log.warn({ node, health }, "a storage node has fallen silent");
    }
  }

  async #forgetLeases(signal: AbortSignal): Promise<void> {
    const before = this.#env.clock.now() - closedLeasesKeptMs;
    while (!signal.aborted && (await this.#writes.run((sql) => pruneClosedLeases(sql, before))) > 0) {
      await this.#env.clock.sleep(10, signal);
    }
  }

  /** Answers of old commits: nobody repeats a commit after a day. */
  async #forgetCommits(signal: AbortSignal): Promise<void> {
    const before = this.#env.clock.now() - commitLogKeptMs;
    let removed = commitLogBatch;
    while (removed === commitLogBatch && !signal.aborted) {
      removed = await this.#writes.run((sql) =>
        sql.run(
          "DELETE FROM commit_log WHERE id IN (SELECT id FROM commit_log WHERE at < ? LIMIT ?)",
          before,
          commitLogBatch,
        ),
      );
    }
  }
}

interface Parts {
  readonly identity: ClusterIdentity;
  readonly map: ClusterMap;
  readonly leader: LeaderLease;
  readonly keys: MetadataKeys;
  readonly settings: Settings;
  readonly noDelete: NoDelete;
}
