import { type DriveId, isKind, lifecycleDocument } from "@cairn/protocol";
import { noDeleteReason } from "../cluster/no-delete.ts";
import type { DriveRecord } from "../namespace/drive-table.ts";
import { SteadyTime } from "../service/steady-time.ts";
import { beginProgress, keepProgress, type LifecycleProgress, readProgress } from "./lifecycle-progress.ts";
import { type LifecycleWorld, type RulesNow, rulesOf } from "./lifecycle-world.ts";
import { expireObjects } from "./object-expiry.ts";
import { expireUploads } from "./upload-expiry.ts";
import { expireRemoved, expireVersions } from "./version-expiry.ts";

/** Pages of one round, and what is removed in one before it ends. */
const pagesPerRound = 20;
const removedPerRound = 2000;
/** Wait between two steps, so that users' changes come between. */
const pauseMs = 5;

const steps = { objects: expireObjects, versions: expireVersions, removed: expireRemoved, uploads: expireUploads };
const following = { objects: "versions", versions: "removed", removed: "uploads", uploads: "done" } as const;

/** How far the walk over a bucket is, for people. */
export interface LifecycleRound {
  readonly removed: number;
  readonly message: string;
  readonly done: boolean;
}

/**
 * Carries out the lifecycle rules of buckets: once a day, and when rules are put, it walks over a bucket and removes what
 * has expired. Each removal is decided anew in its own transaction.
 */
export class Lifecycle {
  readonly #world: LifecycleWorld;
  readonly #time: SteadyTime;

  constructor(world: LifecycleWorld) {
    this.#world = world;
    this.#time = new SteadyTime(world.store.clock);
  }

  /** Drives whose rules were not carried out today. */
  async due(): Promise<readonly Pick<DriveRecord, "id" | "name">[]> {
    const { store } = this.#world;
    const today = this.#today();
    return await store.database.read(async (sql) => {
      const rows = await sql.all<{ drive: Uint8Array }>(
        "SELECT drive FROM drive_document WHERE name = ?",
        lifecycleDocument,
      );
      const due: DriveRecord[] = [];
      for (const { drive } of rows) {
        const record = await store.drives.byBytes(sql, drive);
        if ((await readProgress(sql, record.id))?.day !== today) due.push(record);
      }
      return due;
    });
  }

  /** A bounded part of the walk over a drive, and how far that is. One that was cut off goes on where it was. */
  async round(drive: DriveId, signal: AbortSignal): Promise<LifecycleRound> {
    const { store } = this.#world;
    const held = await store.database.read(noDeleteReason);
    if (held !== undefined) return { removed: 0, message: `waiting: ${held}`, done: false };
    try {
      return await this.#walk(drive, signal);
    } catch (error) {
      if (!isKind(error, "not-found")) throw error;
      return { removed: 0, message: "the bucket is gone", done: true };
    }
  }

  async #walk(drive: DriveId, signal: AbortSignal): Promise<LifecycleRound> {
    const { store, core } = this.#world;
    let progress = await this.#progress(drive);
    const removedBefore = totalOf(progress);
    for (let page = 0; page < pagesPerRound && progress.phase !== "done" && !signal.aborted; page++) {
      const rules = await store.database.read((sql) => rulesOf(sql, drive));
      progress = await this.#step(drive, progress, {
        ...{ rules, now: this.#time.now(), dayMs: core.settings.get("lifecycle.day") },
      });
      if (totalOf(progress) - removedBefore >= removedPerRound) break;
      if (progress.phase !== "done") await store.clock.sleep(pauseMs, signal);
    }
    const kept = await store.queue.submit((tx) => keepProgress(tx, drive, progress));
    const { objects, versions, removed: hidden, uploads } = progress.removed;
    const went = `${objects} objects expired, ${versions + hidden} older versions dropped, ${uploads} uploads given up`;
    const removed = totalOf(progress);
    if (!kept) return { removed, message: `${went}; the rules have changed`, done: false };
    const at = progress.after === undefined ? "" : `; at ${progress.after.key.slice(0, 100)}`;
    return { removed, message: went + at, done: progress.phase === "done" };
  }

  /** That of the walk that is under way, or of a new one. */
  async #progress(drive: DriveId): Promise<LifecycleProgress> {
    const { store, core } = this.#world;
    const day = this.#today();
    return await store.queue.submit(async (tx) => {
      await core.leader.assertHeld(tx.sql);
      await store.drives.byId(tx.sql, drive);
      const known = await readProgress(tx.sql, drive);
      if (known && (known.phase !== "done" || known.day === day)) return known;
      const fresh: LifecycleProgress = {
        day,
        phase: "objects",
        removed: { objects: 0, versions: 0, removed: 0, uploads: 0 },
      };
      await beginProgress(tx, drive, fresh);
      return fresh;
    });
  }

  async #step(drive: DriveId, progress: LifecycleProgress, rules: RulesNow): Promise<LifecycleProgress> {
    const { phase, after } = progress;
    if (phase === "done") return progress;
    const { removed, next } = await steps[phase](this.#world, drive, { ...rules, after });
    return {
      ...progress,
      phase: next === undefined ? following[phase] : phase,
      after: next,
      removed: { ...progress.removed, [phase]: progress.removed[phase] + removed },
    };
  }

  #today(): number {
    return Math.floor(this.#time.now() / this.#world.core.settings.get("lifecycle.day"));
  }
}

function totalOf({ removed: { objects, versions, removed, uploads } }: LifecycleProgress): number {
  return objects + versions + removed + uploads;
}
