import {
  type ChunkId,
  type CopyOrder,
  type CopyResult,
  type ExactChunk,
  failed,
  type Generation,
  type GroupDigest,
  type GroupId,
  hashOfChunkId,
  type InventoryPage,
  type NodeCommandService,
  type NodeIdentity,
  type Outcome,
  recordDigest,
  StorageError,
  spellDigest,
  succeeded,
} from "@cairn/protocol";
import { CommandCheck } from "../../service/testing/command-check.ts";
import type { TestCluster, TestNode } from "../../service/testing/test-cluster.ts";

/** A copy of a chunk on a disk. */
export interface FakeCopy {
  readonly id: ChunkId;
  readonly generation: Generation;
  readonly length: number;
  corrupt: boolean;
}

export type FakeCommand = "copyIn" | "dropGroup" | "inventory";

/** A node that keeps no bytes, only which chunks it has, and that fails in every way that is wanted. */
export class FakeNode implements NodeCommandService {
  readonly node: TestNode;
  readonly groups = new Map<GroupId, Map<ChunkId, FakeCopy>>();
  readonly deleted = new Set<string>();
  readonly commands: string[] = [];
  away = false;
  pageSize = 3;
  /** Called before a command is carried out: may wait or throw. */
  before: (command: FakeCommand, detail: unknown) => Promise<void> = async () => undefined;
  /** Called when a command was carried out: may wait, or throw as when the answer is lost. */
  after: (command: FakeCommand, detail: unknown) => Promise<void> = async () => undefined;
  readonly #cluster: TestCluster;
  readonly #peers: () => readonly FakeNode[];
  readonly #check: CommandCheck;

  constructor(cluster: TestCluster, node: TestNode, peers: () => readonly FakeNode[]) {
    this.#cluster = cluster;
    this.node = node;
    this.#check = new CommandCheck(cluster, node.name);
    this.#peers = peers;
  }

  put(group: GroupId, copy: Omit<FakeCopy, "corrupt">): void {
    const copies = this.groups.get(group) ?? new Map<ChunkId, FakeCopy>();
    copies.set(copy.id, { ...copy, corrupt: false });
    this.groups.set(group, copies);
  }

  copy(group: GroupId, id: ChunkId): FakeCopy | undefined {
    return this.groups.get(group)?.get(id);
  }

  async beat(): Promise<void> {
    if (!this.away) await this.node.beat(this.#digests(), { everything: true });
  }

  async copyIn(order: CopyOrder, command: string, signal?: AbortSignal): Promise<readonly Outcome<CopyResult>[]> {
    await orAborted(this.#begin("copyIn", order, command), signal);
    const outcomes = order.chunks.map((wanted) => this.#copyOne(order, wanted));
    await this.after("copyIn", order);
    return outcomes;
  }

  async dropGroup(group: GroupId, disk: number, command: string): Promise<void> {
    await this.#begin("dropGroup", { group, disk }, command);
    this.groups.delete(group);
    await this.after("dropGroup", { group, disk });
  }

  async inventory(group: GroupId, cursor: string | undefined, command: string): Promise<InventoryPage> {
    await this.#begin("inventory", { group, cursor }, command);
    const copies = [...(this.groups.get(group)?.values() ?? [])]
      .filter((copy) => !copy.corrupt && (cursor === undefined || copy.id > cursor))
      .sort((a, b) => (a.id < b.id ? -1 : 1));
    const page = copies.slice(0, this.pageSize);
    return { chunks: page, cursor: copies.length > page.length ? page.at(-1)?.id : undefined };
  }

  deleteExact(_chunks: readonly ExactChunk[]): Promise<readonly Outcome<void>[]> {
    throw new StorageError("internal", "delete", "nobody asks");
  }
  digests(): Promise<readonly GroupDigest[]> {
    throw new StorageError("internal", "digests", "nobody asks");
  }
  async startScrub(): Promise<void> {}
  async startCompaction(): Promise<void> {}
  identity(): Promise<NodeIdentity> {
    throw new StorageError("internal", "identify", "nobody asks");
  }

  #copyOne(order: CopyOrder, { id, generation, length }: CopyOrder["chunks"][number]): Outcome<CopyResult> {
    const own = this.copy(order.group, id);
    if (own && own.generation === generation && !own.corrupt) return succeeded({ fetchedBytes: 0, badSources: [] });
    if (this.deleted.has(`${generation} ${id}`)) return fail("stale", "it was deleted here");
    const badSources: CopyResult["badSources"][number][] = [];
    let silent = false;
    for (const source of order.sources) {
      const peer = this.#peers().find((one) => one.node.url === source.url);
      if (!peer || peer.away) {
        silent = true;
        continue;
      }
      const copy = peer.copy(order.group, id);
      if (copy?.generation === generation && !copy.corrupt) {
        this.put(order.group, { id, generation, length });
        return succeeded({ fetchedBytes: length, badSources });
      }
      badSources.push({ disk: source.disk, what: copy?.corrupt ? "corrupt" : "missing" });
    }
    if (silent) return fail("unavailable", "a source is silent");
    return fail(
      badSources.some((bad) => bad.what === "corrupt") ? "corrupt" : "not-found",
      "nobody has it",
      badSources,
    );
  }

  #digests(): GroupDigest[] {
    return [...this.groups].map(([group, copies]) => {
      let bytes = 0;
      let digest = 0n;
      for (const { id, generation, length } of copies.values()) {
        bytes += length;
        digest ^= recordDigest(hashOfChunkId(id), generation);
      }
      const sealed = this.#cluster.core.map.group(group)?.state === "sealed";
      return { group, disk: this.node.disk, records: copies.size, bytes, digest: spellDigest(digest), sealed };
    });
  }

  async #begin(name: FakeCommand, detail: unknown, command: string): Promise<void> {
    await this.before(name, detail);
    if (this.away) throw new StorageError("unavailable", "send request", `${this.node.name} does not answer`);
    this.#check.assert(command);
    this.commands.push(name);
  }
}

/** As a network client does, which waits no longer when it is told to stop. */
function orAborted<Result>(work: Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new StorageError("cancelled", "send request", "the caller asked to stop"));
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal?.removeEventListener("abort", abort));
  });
}

function fail(kind: StorageError["kind"], why: string, badSources: CopyResult["badSources"] = []): Outcome<never> {
  return failed(new StorageError(kind, "copy chunk", why, { details: { badSources } }), "copy chunk");
}
