import { toHex } from "@cairn/protocol";
import type { CopyWork } from "../copy-work.ts";
import { isGood, standingsOf } from "../disk-standing.ts";
import { extraCopiesOf } from "../extra-copies.ts";
import type { NeededChunk } from "../group-chunks.ts";
import type { HealingWorld } from "../healing-world.ts";
import { filesOfChunks } from "./files-of-chunks.ts";
import { markLost, type RepairUnit } from "./repair-rows.ts";

/** Files and chunks that one event names. */
const namedMax = 20;

/**
 * Decides that chunks are lost. Only when every disk that may have a copy, of members and of those that were, can be
 * reached now and was asked in this very moment: what cannot be asked may have it.
 */
export class LostChunks {
  readonly #world: HealingWorld;
  readonly #work: CopyWork;

  constructor(world: HealingWorld, work: CopyWork) {
    this.#world = world;
    this.#work = work;
  }

  /** Takes chunks that one member could not get from the others. Tells how many are lost. */
  async judge(unit: RepairUnit, chunks: readonly NeededChunk[], signal: AbortSignal): Promise<number> {
    const group = this.#world.core.map.group(unit.group);
    const extras = await this.#world.database.read((sql) => extraCopiesOf(sql, unit.group));
    const disks = [...(group?.slots ?? []), ...extras].map(({ disk }) => disk);
    const standings = standingsOf({ ...this.#world.core, clock: this.#world.env.clock });
    if (!group || disks.some((disk) => !isGood(standings.get(disk)))) return 0;
    let left = chunks;
    for (const slot of group.slots) {
      if (left.length === 0) return 0;
      const request = { group: unit.group, to: slot.disk, chunks: left, extras: extras.map(({ disk }) => disk) };
      const report = await this.#work.copy(request, signal);
      left = report.unobtainable.filter(({ kind }) => kind !== "stale").map(({ chunk }) => chunk);
    }
    return left.length === 0 ? 0 : await this.#mark(unit, left, { epoch: group.epoch, signal });
  }

  async #mark(
    { group }: RepairUnit,
    chunks: readonly NeededChunk[],
    { epoch, signal }: { readonly epoch: number; readonly signal: AbortSignal },
  ): Promise<number> {
    const { core, database, env } = this.#world;
    const hashes = chunks.map((chunk) => chunk.hash);
    const files = await filesOfChunks(database, hashes, { limit: namedMax, signal });
    return await core.leaderWrites.run(async (sql, tell) => {
      const row = await sql.get<{ epoch: number }>("SELECT epoch FROM grp WHERE id = ?", group);
      if (row?.epoch !== epoch) return 0;
      const lost: NeededChunk[] = [];
      for (const chunk of chunks) if (await markLost(sql, group, chunk, env.clock.now())) lost.push(chunk);
      if (lost.length === 0) return 0;
      await tell({
        severity: "error",
        kind: "chunk.lost",
        subject: `group ${group}`,
        message: `no disk has a sound copy of ${lost.length} chunks any more; storing the same bytes again heals them`,
        details: { group, chunks: lost.slice(0, namedMax).map(({ hash }) => toHex(hash)), total: lost.length, files },
      });
      return lost.length;
    });
  }
}
