import {
  type ChunkId,
  type Generation,
  type GroupId,
  hashOfChunkId,
  type NodeCommandService,
  recordDigest,
  StorageError,
  spellDigest,
} from "@cairn/protocol";

/** One record that a disk holds. */
export interface HeldRecord {
  readonly id: ChunkId;
  readonly generation: Generation;
  readonly length: number;
}

/** How a node is asked for one of its copies. */
export interface InventorySource {
  readonly group: GroupId;
  readonly commands: NodeCommandService;
  /** A fresh command token. */
  readonly command: () => string;
}

/**
 * Walks the inventory of one copy, a page at a time, and sums it up as the node does: an inventory whose sum is not the
 * digest that the node reports is not all of it. Throws corrupt when the pages are not in order, and what the call throws.
 */
export class InventoryWalk {
  readonly #source: InventorySource;
  #xor = 0n;
  #records = 0;
  #last: HeldRecord | undefined;

  constructor(source: InventorySource) {
    this.#source = source;
  }

  /** Of what was walked so far. */
  get sum(): { readonly digest: string; readonly records: number } {
    return { digest: spellDigest(this.#xor), records: this.#records };
  }

  /** Pages in order of (id, generation); `last` is true of the final one, which may be empty. */
  async *pages(
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly records: readonly HeldRecord[]; readonly last: boolean }> {
    const { group, commands, command } = this.#source;
    let cursor: string | undefined;
    do {
      const page = await commands.inventory(group, cursor, command(), signal);
      for (const record of page.chunks) this.#take(record);
      if (page.cursor !== undefined && page.chunks.length === 0) throw disorder(group, "an empty page has a next one");
      cursor = page.cursor;
      yield { records: page.chunks, last: cursor === undefined };
    } while (cursor !== undefined);
  }

  #take(record: HeldRecord): void {
    if (this.#last && !isBehind(record, this.#last)) throw disorder(this.#source.group, "its pages are not in order");
    this.#last = record;
    this.#records++;
    this.#xor ^= recordDigest(hashOfChunkId(record.id), record.generation);
  }
}

/** Hex digits sort as the bytes they spell. */
function isBehind(record: HeldRecord, other: HeldRecord): boolean {
  return record.id > other.id || (record.id === other.id && record.generation > other.generation);
}

function disorder(group: GroupId, why: string): StorageError {
  return new StorageError("corrupt", "read inventory", `group ${group}: ${why}`, {
    hint: "Nothing is concluded from it. Node and metadata server may be of different versions.",
  });
}
