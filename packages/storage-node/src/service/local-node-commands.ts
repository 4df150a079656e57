import {
  type CommandClaims,
  type CopyOrder,
  type CopyResult,
  type DiskId,
  type ExactChunk,
  type GroupDigest,
  type GroupId,
  type InventoryPage,
  limits,
  type Outcome,
  StorageError,
  succeeded,
} from "@cairn/protocol";
import type { DiskEngine } from "../engine/index.ts";
import type { CommandGate } from "./command-gate.ts";
import type { Housekeeping } from "./housekeeping.ts";

const inventoryPageSize = 4096;

export interface LocalCommandParts {
  readonly engines: readonly DiskEngine[];
  readonly gate: CommandGate;
  readonly care: Pick<Housekeeping, "intake" | "startScrub" | "startCompaction">;
  /** A group is gone from a disk: nobody would miss it among the groups that changed. */
  readonly dropped: () => void;
}

/** What the one leader of maintenance has this node do (NodeCommandService); nothing here is done unasked. */
export class LocalNodeCommands {
  readonly #parts: LocalCommandParts;

  constructor(parts: LocalCommandParts) {
    this.#parts = parts;
  }

  /** Throws unauthenticated, forbidden, stale. */
  authorise(command: string): Promise<CommandClaims> {
    return this.#parts.gate.pass(command);
  }

  /** The order's form was checked. Its signal aborts when the leader goes away. */
  async copyIn(order: CopyOrder, command: string, signal: AbortSignal): Promise<readonly Outcome<CopyResult>[]> {
    const { gate, care } = this.#parts;
    const claims = await this.authorise(command);
    return await care.intake.copy(order, { claims, gate, signal });
  }

  async dropGroup(group: GroupId, disk: DiskId, command: string): Promise<void> {
    const { engines, care, dropped } = this.#parts;
    await this.authorise(command);
    const engine = engines.find(({ identity }) => identity.disk === disk);
    if (!engine) throw new StorageError("forbidden", "drop group", `disk ${disk} is not on this node`);
    await care.intake.stop(disk, group);
    await this.authorise(command);
    await engine.dropGroup(group);
    dropped();
  }

  async startScrub(command: string): Promise<void> {
    await this.authorise(command);
    this.#parts.care.startScrub();
  }

  async startCompaction(command: string): Promise<void> {
    await this.authorise(command);
    this.#parts.care.startCompaction();
  }

  async deleteExact(chunks: readonly ExactChunk[], command: string): Promise<readonly Outcome<void>[]> {
    await this.authorise(command);
    if (chunks.length > limits.commitEntriesMax) {
      throw new StorageError("too-large", "delete chunks", `at most ${limits.commitEntriesMax}`);
    }
    const perEngine = await Promise.all(this.#parts.engines.map((engine) => engine.deleteExact(chunks)));
    return chunks.map(
      (_, index) => perEngine.map((outcomes) => outcomes[index]).find((it) => it && !it.ok) ?? succeeded(undefined),
    );
  }

  async inventory(group: GroupId, cursor: string | undefined, command: string): Promise<InventoryPage> {
    await this.authorise(command);
    // Of two copies the newer one is the member's; the other waits to be dropped.
    const [engine] = this.#parts.engines
      .filter((it) => it.holds(group))
      .sort((a, b) => b.epochOf(group) - a.epochOf(group));
    return engine ? engine.inventory(group, cursor, inventoryPageSize) : { chunks: [], cursor: undefined };
  }

  async digests(command: string): Promise<readonly GroupDigest[]> {
    await this.authorise(command);
    return this.#parts.engines.flatMap((engine) => engine.digests());
  }
}
