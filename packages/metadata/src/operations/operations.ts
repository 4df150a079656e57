import type { Clock } from "@cairn/env";
import {
  type ChangePlan,
  type ClusterEvent,
  type ClusterHealth,
  type CollectionPreview,
  type CollectionStatus,
  formatSettingValue,
  type Job,
  type JobId,
  limits,
  type MembershipChange,
  type NodeId,
  type NodeImpact,
  type OperationsService,
  type Page,
  parseJobId,
  type RepairStatus,
  type ScrubStatus,
  type Setting,
  type Severity,
} from "@cairn/protocol";
import type { MaintenanceJob } from "../service/maintenance.ts";
import { ChangeDesk } from "./change-desk.ts";
import { HealthReport } from "./health-report.ts";
import { JobRunner } from "./job-runner.ts";
import { JobTable } from "./job-table.ts";
import { jobWorks } from "./job-works.ts";
import { NodeWatch } from "./node-watch.ts";
import type { OperationsWorld } from "./operations-world.ts";

const roundEveryMs = 1000;
/** How often it is looked whether a bucket has rules to be carried out. */
const lifecycleLookMs = 5000;

/** What operators ask and order, put together from the parts that know. */
export class Operations implements OperationsService {
  readonly #world: OperationsWorld;
  readonly #clock: Clock;
  readonly #table: JobTable;
  readonly #runner: JobRunner;
  readonly #changes: ChangeDesk;
  readonly #health: HealthReport;
  readonly #watch: NodeWatch;

  constructor(world: OperationsWorld) {
    const { env, database, core, machinery } = world;
    this.#world = world;
    this.#clock = env.clock;
    this.#table = new JobTable({ clock: env.clock, database, events: core.events });
    this.#changes = new ChangeDesk(world, this.#table);
    const jobs = { ...machinery, view: () => this.#changes.view(), wantedCopies: () => this.#changes.wantedCopies() };
    this.#runner = new JobRunner(env, this.#table, jobWorks(jobs));
    this.#health = new HealthReport(world);
    this.#watch = new NodeWatch(core);
  }

  /** What is to be done again and again; hand it to startMaintenance. */
  maintenance(): readonly MaintenanceJob[] {
    return [
      { name: "run-jobs", everyMs: roundEveryMs, run: (signal) => this.#runner.round(signal, { whole: false }) },
      { name: "run-whole-jobs", everyMs: roundEveryMs, run: (signal) => this.#runner.round(signal, { whole: true }) },
      { name: "begin-lifecycle", everyMs: lifecycleLookMs, run: () => this.#beginLifecycle() },
      { name: "tell-of-nodes", everyMs: roundEveryMs, run: () => this.#watch.look() },
      { name: "measure-health", everyMs: 15_000, run: () => this.#measure() },
      { name: "note-fill", everyMs: 60_000, run: () => this.#health.noteFill() },
      { name: "forget-jobs", everyMs: 3_600_000, run: () => this.#table.forget() },
    ];
  }

  async health(): Promise<ClusterHealth> {
    const running = await this.#table.running();
    return this.#health.report(running.map((job) => this.#runner.show(job)));
  }

  async events(
    after: number,
    options: { readonly limit: number; readonly waitMs?: number | undefined; readonly severity?: Severity | undefined },
  ): Promise<readonly ClusterEvent[]> {
    const { events } = this.#world.core;
    return events.after(after < 0 ? (await events.last()) + after : after, options);
  }

  async settings(): Promise<readonly Setting[]> {
    return this.#world.core.settings.list();
  }

  async changeSettings(changes: Readonly<Record<string, number>>): Promise<readonly Setting[]> {
    const { settings, events } = this.#world.core;
    const before = new Map(settings.list().map(({ name, value }) => [name, value]));
    const after = await settings.change(changes);
    for (const { name, value, unit } of after) {
      const old = before.get(name) ?? value;
      if (old === value) continue;
      const message = `${name} is ${formatSettingValue({ unit }, value)} now; it was ${formatSettingValue({ unit }, old)}`;
      await events.tell({ severity: "info", kind: "setting.changed", subject: name, message, details: { value, old } });
    }
    return after;
  }

  async jobs(cursor: string | undefined, limit: number = limits.pageSizeDefault): Promise<Page<Job>> {
    const page = await this.#table.page(cursor, limit);
    return { ...page, items: page.items.map((job) => this.#runner.show(job)) };
  }

  async job(id: JobId): Promise<Job> {
    return this.#runner.show(await this.#table.get(parseJobId(id)));
  }

  cancelJob(id: JobId): Promise<Job> {
    return this.#runner.cancel(parseJobId(id));
  }

  repairStatus(): Promise<RepairStatus> {
    return this.#world.machinery.healing.repairStatus();
  }

  async scrubStatus(): Promise<readonly (ScrubStatus & { readonly node: NodeId })[]> {
    return this.#world.machinery.scrub.status();
  }

  async startScrub(): Promise<Job> {
    const createdAt = this.#clock.now();
    const nodes = await this.#world.machinery.scrub.start();
    return this.#begin("scrub", `${nodes} nodes read their disks from the beginning`, { createdAt });
  }

  collectionStatus(): Promise<CollectionStatus> {
    return this.#world.machinery.collection.status();
  }

  previewCollection(): Promise<CollectionPreview> {
    return this.#world.machinery.collection.preview();
  }

  startCollection(): Promise<Job> {
    return this.#begin("collect", "a run of the collection was asked for", {});
  }

  async resumeCollection(): Promise<CollectionStatus> {
    const { noDelete, events } = this.#world.core;
    const { reason } = noDelete;
    if (reason !== undefined) {
      await noDelete.set(undefined);
      const message = `an operator lets the collection delete again; it did not because ${reason}`;
      await events.tell({
        severity: "warning",
        kind: "collection.resumed",
        subject: "collection",
        message,
        details: {},
      });
    }
    return this.collectionStatus();
  }

  planChange(change: MembershipChange): Promise<ChangePlan> {
    return this.#changes.plan(change);
  }

  async applyChange(change: MembershipChange): Promise<Job | undefined> {
    const job = await this.#changes.apply(change, (id) => this.#runner.cancel(id));
    return job && this.#runner.show(job);
  }

  nodeImpact(node: NodeId): Promise<NodeImpact> {
    return this.#changes.impact(node);
  }

  async #measure(): Promise<void> {
    await this.#health.measure((await this.#table.running()).length);
  }

  async #beginLifecycle(): Promise<void> {
    const due = await this.#world.machinery.lifecycle.due();
    if (due.length === 0) return;
    const running = await this.#table.running();
    for (const { id: drive, name: subject } of due) {
      if (running.some(({ kind, request }) => kind === "lifecycle" && request["drive"] === drive)) continue;
      const message = "what has expired by the rules of the bucket goes";
      await this.#table.create({
        kind: "lifecycle",
        subject,
        request: { drive },
        totalItems: 0,
        totalBytes: 0,
        message,
      });
    }
  }

  async #begin(kind: "scrub" | "collect", message: string, request: Readonly<Record<string, unknown>>): Promise<Job> {
    const job = { kind, subject: "cluster", request, totalItems: 0, totalBytes: 0, message };
    return this.#runner.show(await this.#table.create(job));
  }
}
