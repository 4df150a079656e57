import {
  type ChunkId,
  type DiskId,
  type Generation,
  type GroupDigest,
  type GroupId,
  type NodeId,
  type Outcome,
  StorageError,
  succeeded,
} from "@cairn/protocol";
import type { DiskIdentity, EnginePut, QuarantinedPlace } from "../../engine/index.ts";
import type {
  CaredDisk,
  Compactable,
  CompactionOrder,
  CopyFinding,
  ScrubbedStep,
  ScrubStep,
  TrashedGroup,
} from "../cared-disk.ts";

/** A disk as its upkeep sees it, in memory and on a script. */
export class ScriptedDisk implements CaredDisk {
  readonly identity: DiskIdentity;
  /** Sizes of the records of each group. */
  readonly groups: Map<GroupId, number[]> = new Map();
  readonly places: Map<GroupId, QuarantinedPlace[]> = new Map();
  readonly steps: ScrubStep[] = [];
  readonly adopted: EnginePut[] = [];
  readonly compacted: CompactionOrder[] = [];
  readonly wishes: { trashMs: number; urgent: boolean }[] = [];
  trash: TrashedGroup[] = [];
  candidates: Compactable[] = [];
  freeBytes = 50;
  state: unknown;
  finding: (id: ChunkId, generation: Generation) => CopyFinding = () => "missing";
  /** Called before anything is done; may wait or throw. */
  before: (what: "scrub" | "adopt" | "check" | "compact" | "empty" | "drop") => Promise<void> = async () => undefined;

  constructor(disk = 1) {
    this.identity = {
      cluster: "c",
      node: "node-1" as NodeId,
      disk: disk as DiskId,
      uuid: String(disk),
    } as DiskIdentity;
  }

  put(group: number, ...sizes: number[]): void {
    this.groups.set(group as GroupId, sizes);
  }

  digests(): readonly GroupDigest[] {
    return [...this.groups].map(([group, sizes]) => ({
      ...{ group, disk: this.identity.disk, records: sizes.length, digest: "0".repeat(16), sealed: false },
      bytes: sizes.reduce((sum, size) => sum + size, 0),
    }));
  }

  holds(group: GroupId): boolean {
    return this.groups.has(group);
  }

  quarantined(group: GroupId): readonly QuarantinedPlace[] {
    return this.places.get(group) ?? [];
  }

  async space(): Promise<{ totalBytes: number; freeBytes: number }> {
    return { totalBytes: 100, freeBytes: this.freeBytes };
  }

  async check(_group: GroupId, id: ChunkId, generation: Generation): Promise<CopyFinding> {
    await this.before("check");
    return this.finding(id, generation);
  }

  async adopt(copy: EnginePut): Promise<Outcome<void>> {
    await this.before("adopt");
    this.adopted.push(copy);
    return succeeded(undefined);
  }

  async scrubStep(step: ScrubStep): Promise<ScrubbedStep> {
    await this.before("scrub");
    this.steps.push(step);
    const sizes = this.groups.get(step.group) ?? [];
    let at = Number(step.cursor ?? 0);
    let bytes = 0;
    let records = 0;
    for (; at < sizes.length && (records === 0 || bytes + (sizes[at] as number) <= step.bytesMax); at++, records++) {
      bytes += sizes[at] as number;
    }
    return { bytes, records, damaged: 0, cursor: at < sizes.length ? String(at) : undefined };
  }

  async readScrubState(): Promise<unknown> {
    return this.state;
  }

  async writeScrubState(state: unknown): Promise<void> {
    this.state = JSON.parse(JSON.stringify(state));
  }

  async compactable(wish: { trashMs: number; urgent: boolean }): Promise<readonly Compactable[]> {
    this.wishes.push(wish);
    return this.candidates;
  }

  async compact(order: CompactionOrder): Promise<{ freedBytes: number }> {
    await this.before("compact");
    const found = this.candidates.find(({ group, segment }) => group === order.group && segment === order.segment);
    if (!found) throw new StorageError("not-found", "compact", "no such segment");
    await order.pace(found.liveBytes);
    this.compacted.push(order);
    this.candidates = this.candidates.filter((it) => it !== found);
    return { freedBytes: found.deadBytes };
  }

  async dropGroup(group: GroupId): Promise<void> {
    await this.before("drop");
    this.groups.delete(group);
  }

  async trashed(): Promise<readonly TrashedGroup[]> {
    return this.trash;
  }

  async emptyTrash(name: string): Promise<number> {
    await this.before("empty");
    const found = this.trash.find((it) => it.name === name);
    this.trash = this.trash.filter((it) => it !== found);
    return found?.bytes ?? 0;
  }
}
