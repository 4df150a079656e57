import {
  bytesOfId,
  type ChangePlan,
  type Job,
  type JobId,
  type MembershipChange,
  type NodeId,
  type NodeImpact,
  StorageError,
} from "@cairn/protocol";
import { damagedChunks } from "../cluster/bad-copies.ts";
import { groupChunks } from "../cluster/group-usage.ts";
import { maintenanceMsMax, type PlannedChange, planChange } from "./change-plan.ts";
import { type ClusterView, onlyCopiesOn, redundancyIn, viewCluster } from "./cluster-view.ts";
import type { JobTable, StoredJob } from "./job-table.ts";
import type { OperationsWorld } from "./operations-world.ts";

/** How long a maintenance lasts when nobody says, ms. */
const maintenanceMsDefault = 3_600_000;

/** Plans changes of who stores what, and carries them out when nothing speaks against them. */
export class ChangeDesk {
  readonly #world: OperationsWorld;
  readonly #table: JobTable;
  #applying: Promise<unknown> = Promise.resolve();

  constructor(world: OperationsWorld, table: JobTable) {
    this.#world = world;
    this.#table = table;
  }

  async view(): Promise<ClusterView> {
    const { database, core, machinery } = this.#world;
    const { map, health } = core;
    const [held, damaged] = await database.read(
      async (sql) => [await groupChunks(sql), await damagedChunks(sql)] as const,
    );
    return viewCluster({ map, health, duty: (node) => machinery.healing.duty(node) }, held, damaged);
  }

  /** Copies that groups are to have: the most that any drive asks for, since groups are shared by drives. */
  async wantedCopies(): Promise<number> {
    const row = await this.#world.database.read((sql) =>
      sql.get<{ copies: number }>("SELECT max(copies) AS copies FROM drive"),
    );
    return row?.copies ?? 1;
  }

  async plan(change: MembershipChange): Promise<ChangePlan> {
    return (await this.#planned(change)).plan;
  }

  /** One at a time, each judged by what the one before has made of the cluster. Throws conflict, not-found, unavailable. */
  apply(change: MembershipChange, cancel: (job: JobId) => Promise<Job>): Promise<StoredJob | undefined> {
    const turn = this.#applying.then(() => this.#apply(change, cancel));
    this.#applying = turn.catch(() => undefined);
    return turn;
  }

  /** Throws not-found. */
  async impact(name: NodeId): Promise<NodeImpact> {
    const [view, nodes] = await Promise.all([this.view(), this.#world.reports.nodes()]);
    const viewed = view.nodes.get(name);
    const status = nodes.find(({ node }) => node === name);
    if (!viewed || !status) {
      throw new StorageError("not-found", "find node", String(name).slice(0, 80), {
        hint: "List them with: cairn node list",
      });
    }
    const mine = [...view.groups.values()].filter(({ disks }) =>
      disks.some((disk) => view.disks.get(disk)?.node === name),
    );
    return {
      node: status,
      duty: viewed.duty,
      health: viewed.health,
      groups: mine.length,
      chunks: mine.reduce((sum, group) => sum + group.chunks, 0),
      bytes: mine.reduce((sum, group) => sum + group.bytes, 0),
      onlyCopyChunks: onlyCopiesOn(view, name),
      canLoseNodesWithout: redundancyIn(view, { without: name }).canLoseNodes,
    };
  }

  async #planned(change: MembershipChange): Promise<PlannedChange> {
    const copies = change.kind === "change-copies" ? await this.#copiesOf(change) : 0;
    return planChange(await this.view(), change, { moveRate: this.#world.core.settings.get("repair.rate"), copies });
  }

  async #apply(change: MembershipChange, cancel: (job: JobId) => Promise<Job>): Promise<StoredJob | undefined> {
    const { plan } = await this.#planned(change);
    if (plan.refusals.length > 0) {
      throw new StorageError("conflict", change.kind, plan.refusals.join(" "), {
        details: { refusals: plan.refusals },
      });
    }
    switch (change.kind) {
      case "drain":
      case "remove":
        return this.#leave(change, plan, cancel);
      case "undrain":
        return this.#stay(change.node, cancel);
      case "maintenance":
        return this.#maintain(change);
      case "rebalance":
        return this.#start(plan, "cluster", `${plan.groupsToMove} groups are to move`);
      case "change-copies":
        return this.#changeCopies(change, plan);
    }
  }

  async #leave(
    change: Extract<MembershipChange, { readonly kind: "drain" | "undrain" | "remove" }>,
    plan: ChangePlan,
    cancel: (job: JobId) => Promise<Job>,
  ): Promise<StoredJob> {
    // A drain under way goes over into the removal.
    for (const job of await this.#leavingJobs(change.node)) await cancel(job.id);
    // The duty first: what is left by a crash in between is a node that drains, and every order finds it so.
    await this.#world.machinery.healing.setDuty(change.node, "draining");
    await this.#tell("node.draining", change.node, `${change.node} gives its groups away`);
    return this.#start(plan, change.node, `${plan.groupsToMove} groups are to leave ${change.node}`);
  }

  async #stay(node: NodeId, cancel: (job: JobId) => Promise<Job>): Promise<undefined> {
    for (const job of await this.#leavingJobs(node)) await cancel(job.id);
    if (this.#world.machinery.healing.duty(node) === "draining") {
      await this.#world.machinery.healing.setDuty(node, "active");
    }
    await this.#tell("node.active", node, `${node} takes data again`);
  }

  async #maintain({ node, on, durationMs = maintenanceMsDefault }: Maintenance): Promise<undefined> {
    const { healing } = this.#world.machinery;
    if (!on) {
      await healing.setDuty(node, "active");
      await this.#tell("node.active", node, `the maintenance of ${node} is over`);
      return;
    }
    const until = this.#world.env.clock.now() + Math.min(durationMs, maintenanceMsMax);
    await healing.setDuty(node, "maintenance", until);
    const minutes = Math.round(durationMs / 60_000);
    await this.#tell("node.maintenance", node, `${node} is in maintenance for ${minutes} minutes at most`);
  }

  async #changeCopies(
    change: Extract<MembershipChange, { readonly kind: "change-copies" }>,
    plan: ChangePlan,
  ): Promise<StoredJob> {
    const { database, drives, core } = this.#world;
    await database.write(async (sql) => {
      const id = bytesOfId(change.drive);
      await sql.run("UPDATE drive SET copies = ? WHERE id = ?", change.copies, id);
      await core.events.record(sql, {
        severity: "info",
        kind: "drive.copies",
        subject: change.drive,
        message: `new chunks get ${change.copies} copies`,
      });
    });
    await database.read((sql) => drives.all(sql));
    return this.#start(plan, change.drive, `${plan.groupsToMove} copies of groups are to be made`);
  }

  async #copiesOf({ drive }: Extract<MembershipChange, { readonly kind: "change-copies" }>): Promise<number> {
    const record = await this.#world.database.read((sql) => this.#world.drives.byId(sql, drive));
    return record.copies;
  }

  async #leavingJobs(node: NodeId): Promise<readonly StoredJob[]> {
    const running = await this.#table.running();
    return running.filter(({ kind, subject }) => (kind === "drain" || kind === "remove") && subject === node);
  }

  #start(plan: ChangePlan, subject: string, message: string): Promise<StoredJob> {
    const { change } = plan;
    if (change.kind === "undrain" || change.kind === "maintenance") throw new TypeError("it is no job");
    const { groupsToMove: totalItems, bytesToMove: totalBytes } = plan;
    return this.#table.create({ kind: change.kind, subject, request: { ...change }, totalItems, totalBytes, message });
  }

  #tell(kind: string, subject: string, message: string): Promise<void> {
    return this.#world.core.events.tell({ severity: "info", kind, subject, message });
  }
}

type Maintenance = Extract<MembershipChange, { readonly kind: "maintenance" }>;
