import {
  type CopyOrder,
  type CopyResult,
  type DiskId,
  type GroupId,
  type NodeHealth,
  type Outcome,
  StorageError,
} from "@cairn/protocol";
import { queueBadCopy } from "../cluster/bad-copies.ts";
import { membersOf } from "../placement/group-view-cache.ts";
import type { NeededChunk } from "./group-chunks.ts";
import type { HealingWorld } from "./healing-world.ts";
import type { NodeOrders } from "./node-orders.ts";
import type { RepairMeter } from "./repair-meter.ts";

export interface CopyRequest {
  readonly group: GroupId;
  readonly to: DiskId;
  /** What one order may name. */
  readonly chunks: readonly NeededChunk[];
  /** Disks that have copies although they are no members: asked last. */
  readonly extras?: readonly DiskId[] | undefined;
}

/** What became of each chunk of a request. */
export interface CopyReport {
  /** On the disk now; whether they were there before or not. */
  readonly copied: readonly { readonly chunk: NeededChunk; readonly fetchedBytes: number }[];
  /** None of those who were asked has a sound copy, or the disk has deleted that very write. */
  readonly unobtainable: readonly { readonly chunk: NeededChunk; readonly kind: "not-found" | "corrupt" | "stale" }[];
  /** To be tried again, with the first reason. */
  readonly again: readonly NeededChunk[];
  readonly error: StorageError | undefined;
}

/** Lets nodes copy chunks from one another and keeps what is learned about bad copies on the way. */
export class CopyWork {
  readonly #world: HealingWorld;
  readonly #orders: NodeOrders;
  readonly #meter: RepairMeter;

  constructor(world: HealingWorld, orders: NodeOrders, meter: RepairMeter) {
    this.#world = world;
    this.#orders = orders;
    this.#meter = meter;
  }

  /** Members that can be asked for copies, best first; never the disk that is to get them. */
  sources(group: GroupId, to: DiskId, extras: readonly DiskId[] = []): CopyOrder["sources"] {
    const { map, health } = this.#world.core;
    const record = map.group(group);
    const members = record ? membersOf(record, { map, health }) : [];
    const ranked = [...members]
      .filter((member) => member.disk !== to && member.health !== "down")
      .sort((a, b) => rankOf(a.health) - rankOf(b.health) || a.slot - b.slot);
    return [...ranked.map(({ node, disk, url }) => ({ node, disk, url })), ...this.#others(extras, to)];
  }

  /** Throws as copyIn does when nothing at all came of it; unavailable when nobody can be asked. */
  async copy(request: CopyRequest, signal: AbortSignal): Promise<CopyReport> {
    const { group, to, chunks } = request;
    const { map, signer } = this.#world.core;
    const sources = this.sources(group, to, request.extras);
    if (sources.length === 0) throw new StorageError("unavailable", "copy chunks", `nobody has group ${group} now`);
    const epoch = map.group(group)?.epoch ?? 0;
    const wanted = chunks.map(({ id, generation, length }) => ({ id, generation, length }));
    const order = { group, epoch, disk: to, sources, readToken: signer.read(group), chunks: wanted };
    const { service, command } = this.#orders.of(to);
    const outcomes = await service.copyIn(order, command(), signal);
    if (outcomes.length !== chunks.length) {
      throw new StorageError("internal", "copy chunks", `${outcomes.length} outcomes for ${chunks.length} chunks`);
    }
    const report = reportOf(chunks, outcomes);
    await this.#keepBadSources(group, chunks, outcomes);
    this.#meter.note({
      chunks: report.copied.length,
      doneBytes: report.copied.reduce((sum, { chunk }) => sum + chunk.length, 0),
      fetchedBytes: report.copied.reduce((sum, { fetchedBytes }) => sum + fetchedBytes, 0),
    });
    return report;
  }

  #others(disks: readonly DiskId[], to: DiskId): CopyOrder["sources"] {
    const { map, health } = this.#world.core;
    return disks.flatMap((disk) => {
      const record = map.disk(disk);
      const node = record && map.node(record.node);
      const away = !node || health.health(node.node) === "down" || record.state === "failed";
      return away || disk === to ? [] : [{ node: node.node, disk, url: node.url }];
    });
  }

  async #keepBadSources(
    group: GroupId,
    chunks: readonly NeededChunk[],
    outcomes: readonly Outcome<CopyResult>[],
  ): Promise<void> {
    const found = outcomes.flatMap((outcome, index) => {
      const chunk = chunks[index];
      const bad = outcome.ok ? outcome.value.badSources : badSourcesOf(outcome.error);
      return chunk ? bad.map(({ disk, what }) => ({ disk, what, chunk })) : [];
    });
    if (found.length === 0) return;
    const { env, core } = this.#world;
    const slots = (core.map.group(group)?.slots ?? []).map((slot) => slot.disk);
    await core.leaderWrites.run(async (sql) => {
      for (const { disk, what, chunk } of found) {
        if (!slots.includes(disk)) continue;
        const copy = { group, disk, what, id: chunk.id, generation: chunk.generation };
        await queueBadCopy(sql, copy, { slots, now: env.clock.now() });
      }
    });
  }
}

function reportOf(chunks: readonly NeededChunk[], outcomes: readonly Outcome<CopyResult>[]): CopyReport {
  const copied: { chunk: NeededChunk; fetchedBytes: number }[] = [];
  const unobtainable: { chunk: NeededChunk; kind: "not-found" | "corrupt" | "stale" }[] = [];
  const again: NeededChunk[] = [];
  let failure: StorageError | undefined;
  for (const [index, outcome] of outcomes.entries()) {
    const chunk = chunks[index];
    if (!chunk) continue;
    if (outcome.ok) {
      copied.push({ chunk, fetchedBytes: outcome.value.fetchedBytes });
      continue;
    }
    const { error } = outcome;
    if (error.kind === "not-found" || error.kind === "corrupt" || error.kind === "stale") {
      unobtainable.push({ chunk, kind: error.kind });
    } else {
      again.push(chunk);
      // A full disk is what decides about the whole copy.
      if (!failure || error.kind === "no-space") failure = error;
    }
  }
  return { copied, unobtainable, again, error: failure };
}

/** A failure carries what its sources turned out to lack; it comes from the wire. */
function badSourcesOf({ details }: StorageError): CopyResult["badSources"] {
  const told = details["badSources"];
  if (!Array.isArray(told)) return [];
  return (told as Partial<CopyResult["badSources"][number]>[]).flatMap(({ disk, what }) =>
    disk !== undefined && (what === "corrupt" || what === "missing") ? [{ disk, what }] : [],
  );
}

function rankOf(health: NodeHealth): number {
  return health === "online" ? 0 : 1;
}
