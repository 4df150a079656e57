import type { ClusterEvent, CommittedChunk, DiskId, Entry, GroupId, NodeId } from "@cairn/protocol";
import { expect } from "vitest";
import type { WrittenChunk } from "../../contracts.ts";
import type { ClusterCore } from "../../service/cluster-core.ts";
import type { TestCluster, TestNode } from "../../service/testing/test-cluster.ts";
import type { SettingName } from "../../settings/setting-list.ts";
import { TestMetadata, type TestMetadataOptions } from "../../sql/testing/test-metadata.ts";
import { Healing } from "../healing.ts";
import { FakeNode } from "./fake-node.ts";

const never = new AbortController().signal;

/** Metadata with nodes that can be commanded, and a healing that moves only when it is told to. */
export class TestHealing implements AsyncDisposable {
  readonly metadata: TestMetadata;
  readonly nodes: FakeNode[];
  healing: Healing;
  readonly #running = new Map<string, Promise<unknown>>();
  readonly #failures: unknown[] = [];

  private constructor(metadata: TestMetadata, nodes: FakeNode[]) {
    this.metadata = metadata;
    this.nodes = nodes;
    this.healing = this.#newHealing();
  }

  static async open(
    options: TestMetadataOptions & { readonly settings?: Partial<Record<SettingName, number>> } = {},
  ): Promise<TestHealing> {
    // Those of the metadata server that runs now: a restart makes new ones.
    let core: () => ClusterCore = () => {
      throw new Error("not open");
    };
    const metadata = await TestMetadata.open({
      leases: { assertOpen: (sql, lease) => core().leases.assertOpen(sql, lease) },
      receipts: { judge: (sql, chunk, copies) => core().receipts.judge(sql, chunk, copies) },
      ...options,
    });
    core = () => metadata.cluster.core;
    const nodes: FakeNode[] = [];
    for (const node of metadata.nodes) nodes.push(new FakeNode(metadata.cluster, node, () => nodes));
    const test = new TestHealing(metadata, nodes);
    await metadata.cluster.core.settings.change(options.settings ?? {});
    await test.beat();
    return test;
  }

  get cluster(): TestCluster {
    return this.metadata.cluster;
  }

  node(name: string): FakeNode {
    const node = this.nodes.find((one) => one.node.name === name);
    if (!node) throw new Error(`no ${name}`);
    return node;
  }

  nodeOf(disk: DiskId): FakeNode {
    const node = this.nodes.find((one) => one.node.disk === disk);
    if (!node) throw new Error(`no disk ${disk}`);
    return node;
  }

  async addNode(): Promise<FakeNode> {
    const [node] = await this.cluster.addNodes(1);
    if (!node) throw new Error("no node");
    const fake = new FakeNode(this.cluster, node, () => this.nodes);
    this.nodes.push(fake);
    // Its receipts count as those of the others.
    (this.metadata.nodes as TestNode[]).push(node);
    await fake.beat();
    return fake;
  }

  /** Writes a chunk to all members of one of the lease's groups. */
  write(content: number, options: { group?: number; epoch?: number } = {}): WrittenChunk {
    const chunk = this.metadata.written(content, options);
    for (const { disk } of chunk.written.receipts) {
      const { id, length } = chunk;
      this.nodeOf(disk).put(chunk.group, { id, length, generation: chunk.written.generation });
    }
    return chunk;
  }

  async commit(name: string, chunks: readonly CommittedChunk[]): Promise<Entry> {
    return (await this.metadata.commit(this.metadata.request(name, chunks))).entry;
  }

  async file(name: string, contents: readonly number[]): Promise<WrittenChunk[]> {
    const chunks = contents.map((content) => this.write(content));
    await this.commit(name, chunks);
    return chunks;
  }

  async beat(): Promise<void> {
    for (const node of this.nodes) await node.beat();
  }

  /** Lets time pass, with a round of everything every second and a heartbeat every three. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 1000) {
      await this.cluster.clock.advance(1000);
      if (passed % 3000 === 0) await this.beat();
      await this.round();
    }
  }

  /** Lets time pass without any work. */
  async sleep(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 3000) {
      await this.cluster.clock.advance(Math.min(3000, ms - passed));
      await this.beat();
    }
  }

  /** Begins a round of every job whose last one has ended, and lets all go as far as they get at this moment. */
  async round(): Promise<void> {
    this.#begin("move", () => this.healing.moveGroups());
    this.#begin("repair", () => this.healing.repairChunks(never));
    this.#begin("drop", () => this.healing.dropExtras(never));
    await this.settle();
    const [failure] = this.#failures.splice(0);
    if (failure !== undefined) throw failure;
  }

  /** Lets everything go on that waits for no time. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 8; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  #begin(name: string, work: () => Promise<unknown>): void {
    if (this.#running.has(name)) return;
    const running = work()
      .catch((error: unknown) => void this.#failures.push(error))
      .finally(() => this.#running.delete(name));
    this.#running.set(name, running);
  }

  /** What a promise comes to, with time passing as long as it takes. */
  async during<Result>(promise: Promise<Result>): Promise<Result> {
    let ended = false;
    const ending = promise.finally(() => {
      ended = true;
    });
    ending.catch(() => undefined);
    await this.settle();
    while (!ended) {
      await this.cluster.clock.advance(500);
      await this.settle();
    }
    return ending;
  }

  /** Ends all work, as a metadata server that stops does. */
  async #stop(): Promise<void> {
    await this.during(Promise.all([this.healing[Symbol.asyncDispose](), ...this.#running.values()]));
  }

  /** A new metadata server over the same database. */
  async restart(): Promise<void> {
    await this.#stop();
    await this.cluster.start();
    this.healing = this.#newHealing();
    for (const { node } of this.nodes) if (!this.nodeOf(node.disk).away) await node.restart();
    await this.beat();
  }

  slots(group: GroupId): Record<number, string> {
    const slots = this.cluster.core.map.group(group)?.slots ?? [];
    return Object.fromEntries(slots.map((slot) => [slot.disk, slot.state]));
  }

  nodesOf(group: GroupId): NodeId[] {
    const slots = this.cluster.core.map.group(group)?.slots ?? [];
    return slots.flatMap((slot) => this.cluster.core.map.disk(slot.disk)?.node ?? []).sort();
  }

  rows(text: string): Promise<Record<string, unknown>[]> {
    return this.cluster.database.read((sql) => sql.all(text));
  }

  async events(kind: string): Promise<readonly ClusterEvent[]> {
    return (await this.cluster.core.events.after(0, { limit: 1000 })).filter((event) => event.kind === kind);
  }

  /** Every chunk whose row is live is on as many sound disks as its group has copies, on distinct nodes, all of them members. */
  async expectWhole(chunks: readonly CommittedChunk[]): Promise<void> {
    for (const chunk of chunks) {
      const [row] = await this.cluster.database.read<{ grp: number; generation: number; state: number }[]>((sql) =>
        sql.all("SELECT grp, generation, state FROM chunk WHERE hash = ?", Buffer.from(chunk.id, "hex")),
      );
      expect(row?.state, `chunk ${chunk.id}`).toBe(0);
      const group = this.cluster.core.map.group(row?.grp as GroupId);
      expect(group?.slots.map((slot) => slot.state)).toEqual(Array.from({ length: group?.copies ?? 0 }, () => "ok"));
      for (const { disk } of group?.slots ?? []) {
        const copy = this.nodeOf(disk).copy(row?.grp as GroupId, chunk.id);
        expect({ ...copy }, `chunk ${chunk.id} on disk ${disk}`).toMatchObject({
          generation: row?.generation,
          corrupt: false,
        });
      }
      expect(new Set(group?.slots.map((slot) => this.nodeOf(slot.disk).node.name)).size).toBe(group?.copies);
    }
  }

  /** The map in memory is what the database holds. */
  async expectMapTrue(): Promise<void> {
    const rows = await this.rows("SELECT id, epoch, state, copies FROM grp ORDER BY id");
    const slots = await this.rows("SELECT grp, slot, disk, state FROM grp_slot ORDER BY grp, slot");
    const groups = [...this.cluster.core.map.groups()];
    const states = { writable: 0, sealed: 1, draining: 2, ok: 0, joining: 1, leaving: 2 };
    expect(groups.map(({ id, epoch, state, copies }) => ({ id, epoch, state: states[state], copies }))).toEqual(rows);
    expect(
      groups.flatMap(({ id, slots: of }) =>
        of.map(({ slot, disk, state }) => ({ grp: id, slot, disk, state: states[state] })),
      ),
    ).toEqual(slots);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
    await this.metadata[Symbol.asyncDispose]();
  }

  #newHealing(): Healing {
    const { env, database, core } = this.cluster;
    const nodes = (url: string): FakeNode => {
      const node = this.nodes.find((one) => one.node.url === url);
      if (!node) throw new Error(`no node at ${url}`);
      return node;
    };
    return new Healing({ env, database, core, nodes });
  }
}
