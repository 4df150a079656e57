import type { Clock, Sql, SqlDatabase } from "@cairn/env";
import {
  type Job,
  type JobId,
  type JobKind,
  type JobState,
  limits,
  type Page,
  parseJobId,
  StorageError,
} from "@cairn/protocol";
import { takeNumbers } from "../cluster/number-source.ts";
import type { EventLog } from "../events/event-log.ts";

/** How far a job is, as it stands in the database. */
export interface JobProgress {
  readonly doneItems: number;
  readonly totalItems: number;
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** A job as it stands in the database, with what it was asked to do. */
export interface StoredJob extends JobProgress {
  readonly id: JobId;
  readonly kind: JobKind;
  readonly state: JobState;
  readonly subject: string;
  readonly request: Readonly<Record<string, unknown>>;
  readonly message: string;
  readonly createdAt: number;
  readonly finishedAt: number | undefined;
}

export interface NewJob {
  readonly kind: JobKind;
  readonly subject: string;
  readonly request: Readonly<Record<string, unknown>>;
  readonly totalItems: number;
  readonly totalBytes: number;
  readonly message: string;
}

interface JobRow {
  readonly id: number;
  readonly kind: JobKind;
  readonly state: JobState;
  readonly subject: string;
  readonly request: string;
  readonly progress: string;
  readonly message: string;
  readonly created_at: number;
  readonly finished_at: number | null;
}

const columns = "id, kind, state, subject, request, progress, message, created_at, finished_at";
/** Ended jobs are kept so long, ms. */
const keptMs = 90 * 86_400_000;

/** The jobs of operators, in table `job`: what a restart finds there goes on. */
export class JobTable {
  readonly #clock: Clock;
  readonly #database: SqlDatabase;
  readonly #events: EventLog;

  constructor(world: { readonly clock: Clock; readonly database: SqlDatabase; readonly events: EventLog }) {
    this.#clock = world.clock;
    this.#database = world.database;
    this.#events = world.events;
  }

  /** Throws conflict when a job of that kind on that subject is running: there is nothing to be gained by a second one. */
  async create(job: NewJob): Promise<StoredJob> {
    const created = await this.#database.write(async (sql) => {
      const running = await sql.get<{ id: number }>(
        "SELECT id FROM job WHERE state = 'running' AND kind = ? AND subject = ?",
        job.kind,
        job.subject,
      );
      if (running) {
        throw new StorageError("conflict", `start ${job.kind}`, `job ${running.id} does that already`, {
          hint: `Watch it with: cairn job show ${running.id}`,
          details: { job: running.id },
        });
      }
      return this.#insert(sql, job);
    });
    this.#events.wake();
    return created;
  }

  /** Throws not-found. */
  async get(id: JobId): Promise<StoredJob> {
    const row = await this.#database.read((sql) => readRow(sql, id));
    if (row) return fromRow(row);
    throw new StorageError("not-found", "find job", String(id), { hint: "List them with: cairn job list" });
  }

  /** Newest first; the cursor is a job's number. Throws invalid. */
  async page(cursor: string | undefined, limit: number): Promise<Page<StoredJob>> {
    const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : parseJobId(Number(cursor));
    const size = Math.min(Math.max(limit, 1), limits.pageSizeMax);
    const rows = await this.#database.read((sql) =>
      sql.all<JobRow>(`SELECT ${columns} FROM job WHERE id < ? ORDER BY id DESC LIMIT ?`, before, size + 1),
    );
    const items = rows.slice(0, size).map(fromRow);
    return { items, cursor: rows.length > size ? String(items.at(-1)?.id) : undefined };
  }

  async running(): Promise<readonly StoredJob[]> {
    const rows = await this.#database.read((sql) =>
      sql.all<JobRow>(`SELECT ${columns} FROM job WHERE state = 'running' ORDER BY id`),
    );
    return rows.map(fromRow);
  }

  /** Notes how far a running job is; one that has ended meanwhile stays as it ended. */
  async advance(id: JobId, progress: JobProgress, message: string): Promise<void> {
    await this.#database.write((sql) =>
      sql.run(
        "UPDATE job SET progress = ?, message = ? WHERE id = ? AND state = 'running'",
        textOf(progress),
        message,
        id,
      ),
    );
  }

  /** Ends a running job. Throws conflict when it has ended already, not-found. */
  async end(id: JobId, state: "done" | "failed" | "cancelled", message: string): Promise<StoredJob> {
    const ended = await this.#database.write(async (sql) => {
      const changed = await sql.run(
        "UPDATE job SET state = ?, message = ?, finished_at = ? WHERE id = ? AND state = 'running'",
        state,
        message,
        this.#clock.now(),
        id,
      );
      const row = await readRow(sql, id);
      if (!row) throw new StorageError("not-found", "end job", String(id));
      const job = fromRow(row);
      if (changed === 0) throw new StorageError("conflict", "end job", `job ${id} has ended: it is ${job.state}`);
      const severity = state === "failed" ? "error" : "info";
      await this.#events.record(sql, {
        severity,
        kind: `job.${state}`,
        subject: `job-${id}`,
        message: `${job.kind} ${job.subject}: ${message}`,
      });
      return job;
    });
    this.#events.wake();
    return ended;
  }

  /** Removes what ended long ago. */
  async forget(): Promise<void> {
    const before = this.#clock.now() - keptMs;
    await this.#database.write((sql) => sql.run("DELETE FROM job WHERE finished_at < ?", before));
  }

  async #insert(sql: Sql, job: NewJob): Promise<StoredJob> {
    const id = parseJobId(await takeNumbers(sql, "next_job", 1));
    const progress = { doneItems: 0, totalItems: job.totalItems, doneBytes: 0, totalBytes: job.totalBytes };
    await sql.run(
      "INSERT INTO job (id, kind, state, subject, request, progress, message, created_at) VALUES (?, ?, 'running', ?, ?, ?, ?, ?)",
      id,
      job.kind,
      job.subject,
      JSON.stringify(job.request),
      textOf(progress),
      job.message,
      this.#clock.now(),
    );
    await this.#events.record(sql, {
      severity: "info",
      kind: "job.started",
      subject: `job-${id}`,
      message: `${job.kind} ${job.subject}: ${job.message}`,
      details: { request: job.request },
    });
    const row = await readRow(sql, id);
    if (!row) throw new StorageError("internal", "start job", String(id));
    return fromRow(row);
  }
}

/** A job for people; rate and time left come from whoever runs it. */
export function shownJob(job: StoredJob, bytesPerSecond: number): Job {
  const { request: _request, ...shown } = job;
  const left = job.totalBytes - job.doneBytes;
  const etaMs = job.state === "running" && bytesPerSecond > 0 ? Math.round((left / bytesPerSecond) * 1000) : undefined;
  return { ...shown, bytesPerSecond, etaMs };
}

function readRow(sql: Sql, id: JobId): Promise<JobRow | undefined> {
  return sql.get<JobRow>(`SELECT ${columns} FROM job WHERE id = ?`, id);
}

function fromRow(row: JobRow): StoredJob {
  return {
    id: parseJobId(row.id),
    kind: row.kind,
    state: row.state,
    subject: row.subject,
    request: JSON.parse(row.request) as Record<string, unknown>,
    ...(JSON.parse(row.progress) as JobProgress),
    message: row.message,
    createdAt: row.created_at,
    finishedAt: row.finished_at ?? undefined,
  };
}

function textOf({ doneItems, totalItems, doneBytes, totalBytes }: JobProgress): string {
  return JSON.stringify({ doneItems, totalItems, doneBytes, totalBytes });
}
