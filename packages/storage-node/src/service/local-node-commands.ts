import {
  type CommandClaims,
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

const inventoryPageSize = 4096;

export interface LocalCommandParts {
  readonly engines: readonly DiskEngine[];
  readonly gate: CommandGate;
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
    const engine = this.#parts.engines.find((it) => it.holds(group));
    return engine ? engine.inventory(group, cursor, inventoryPageSize) : { chunks: [], cursor: undefined };
  }

  async digests(command: string): Promise<readonly GroupDigest[]> {
    await this.authorise(command);
    return this.#parts.engines.flatMap((engine) => engine.digests());
  }
}
