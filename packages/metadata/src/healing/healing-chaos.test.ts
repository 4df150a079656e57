import { type CommittedChunk, type GroupId, isKind, StorageError } from "@cairn/protocol";
import { SeededRandom } from "@cairn/simulator";
import { expect, test } from "vitest";
import type { WrittenChunk } from "../contracts.ts";
import { membersOf } from "../placement/group-view-cache.ts";
import type { FakeNode } from "./testing/fake-node.ts";
import { TestHealing } from "./testing/test-healing.ts";

const seeds = Number(process.env["CAIRN_HEALING_SEEDS"] ?? 12);
const firstSeed = Number(process.env["CAIRN_HEALING_SEED"] ?? 1);
const steps = 60;

/** A cluster to which everything happens that it promises to survive, in an order that the seed decides. */
class Chaos {
  readonly test: TestHealing;
  readonly random: SeededRandom;
  readonly committed: CommittedChunk[] = [];
  readonly log: string[] = [];
  late: WrittenChunk[] = [];
  #content = 0;

  constructor(test: TestHealing, random: SeededRandom) {
    this.test = test;
    this.random = random;
  }

  async step(): Promise<void> {
    const actions: readonly (() => Promise<void>)[] = [
      () => this.write(),
      () => this.write(),
      () => this.writeLate(),
      () => this.commitLate(),
      () => this.silence(),
      () => this.comeBack(),
      () => this.drain(),
      () => this.stay(),
      () => this.wipe(),
      () => this.rot(),
      () => this.restart(),
      () => this.changeCopies(),
      () => this.lose(),
      () => this.pass(1000 + this.random.integer(5000)),
      () => this.pass(1000 + this.random.integer(60_000)),
      () => this.pass(1000 + this.random.integer(60_000)),
    ];
    const action = actions[this.random.integer(actions.length)];
    await action?.();
    await this.expectNothingLost();
  }

  async write(): Promise<void> {
    try {
      await this.test.metadata.newLease();
    } catch (error) {
      if (!isKind(error, "unavailable")) throw error;
      return;
    }
    const chunks = Array.from({ length: 1 + this.random.integer(8) }, () => this.#newChunk());
    await this.#commit(chunks);
  }

  /** Sends chunks to their nodes and keeps the commit for later. */
  async writeLate(): Promise<void> {
    try {
      await this.test.metadata.newLease();
    } catch {
      return;
    }
    this.late.push(this.#newChunk());
    this.log.push("late write");
  }

  async commitLate(): Promise<void> {
    const chunks = this.late;
    this.late = [];
    for (const chunk of chunks) await this.#commit([chunk]);
  }

  async silence(): Promise<void> {
    if (this.test.nodes.some((node) => node.away)) return;
    const node = this.#anyNode();
    node.away = true;
    this.log.push(`${node.node.name} is silent`);
  }

  async comeBack(): Promise<void> {
    for (const node of this.test.nodes) node.away = false;
    this.log.push("all are back");
  }

  async drain(): Promise<void> {
    const duties = this.test.nodes.map(({ node }) => this.test.cluster.core.duties.of(node.name));
    if (duties.some((duty) => duty !== "active")) return;
    const { node } = this.#anyNode();
    await this.test.healing.setDuty(node.name, "draining");
    this.log.push(`${node.name} drains`);
  }

  async stay(): Promise<void> {
    for (const { node } of this.test.nodes) {
      if (this.test.cluster.core.duties.of(node.name) === "draining")
        await this.test.healing.setDuty(node.name, "active");
    }
    this.log.push("nobody drains");
  }

  /** A disk loses everything, once everything else is whole. */
  async wipe(): Promise<void> {
    const node = this.#anyNode();
    const rows = await this.liveRows();
    const others = this.test.nodes.filter((other) => other !== node && !other.away);
    const safe = rows.every((row) =>
      this.#soundOn(row).some((holder) => others.includes(holder) && this.#isMember(row.grp as GroupId, holder)),
    );
    if (!safe || this.late.length > 0) return;
    node.groups.clear();
    // What reconciling the inventory of a wiped disk finds out.
    for (const row of rows) {
      if (!this.#isMember(row.grp as GroupId, node)) continue;
      await this.test.cluster.database.write((sql) =>
        sql.run(
          `INSERT INTO repair (grp, hash, generation, disk, priority, reason, created_at) VALUES (?, ?, ?, ?, 0, 'missing', 0)
           ON CONFLICT DO NOTHING`,
          row.grp,
          row.hash,
          row.generation,
          node.node.disk,
        ),
      );
    }
    this.log.push(`${node.node.name} is wiped`);
  }

  /** One copy rots, of a chunk that has another sound one on a member; a reader reports it. */
  async rot(): Promise<void> {
    const rows = await this.liveRows();
    const row = rows[this.random.integer(Math.max(rows.length, 1))];
    if (!row) return;
    const group = row.grp as GroupId;
    const [first, ...others] = this.#soundOn(row).filter((node) => this.#isMember(group, node));
    if (!first || others.length === 0) return;
    const copy = first.copy(group, idOf(row.hash));
    if (copy) copy.corrupt = true;
    const { core } = this.test.cluster;
    const reports = core.reports({ version: "0", listChunks: () => Promise.reject(new Error("no")) });
    await reports.reportBadCopies([{ group, disk: first.node.disk, id: idOf(row.hash), what: "corrupt" }]);
    this.log.push(`a copy in group ${group} on ${first.node.name} rots`);
  }

  async restart(): Promise<void> {
    await this.test.restart();
    this.log.push("the metadata server starts anew");
  }

  async changeCopies(): Promise<void> {
    const groups = [...this.test.cluster.core.map.groups()];
    const group = groups[this.random.integer(groups.length)];
    const copies = 2 + this.random.integer(2);
    if (group && (await this.test.during(this.test.healing.setGroupCopies(group.id, copies)))) {
      this.log.push(`group ${group.id} is to have ${copies} copies`);
    }
  }

  /** A disk that is being filled loses some of what it has got. */
  async lose(): Promise<void> {
    for (const { id, slots } of this.test.cluster.core.map.groups()) {
      const joining = slots.find((slot) => slot.state === "joining");
      const copies = joining && this.test.nodeOf(joining.disk).groups.get(id);
      const [first] = copies?.keys() ?? [];
      if (!copies || first === undefined) continue;
      copies.delete(first);
      this.log.push(`disk ${joining.disk} loses a chunk of group ${id}`);
    }
  }

  async pass(ms: number): Promise<void> {
    await this.test.pass(ms);
    this.log.push(`${ms} ms pass`);
  }

  /** Every chunk that was committed is sound on at least one member, or on a disk that is kept as the last resort. */
  async expectNothingLost(): Promise<void> {
    const extras = await this.test.rows("SELECT grp, disk FROM extra_copy");
    for (const row of await this.liveRows()) {
      const what = `${idOf(row.hash)} in group ${row.grp}`;
      expect(row.state, `${what} was given up`).toBe(0);
      const holders = this.#soundOn(row).filter(
        (node) =>
          this.#isMember(row.grp as GroupId, node) ||
          extras.some((extra) => extra["grp"] === row.grp && extra["disk"] === node.node.disk),
      );
      expect(holders.length, `${what} is nowhere`).toBeGreaterThan(0);
    }
  }

  liveRows(): Promise<ChunkRow[]> {
    return this.test.cluster.database.read((sql) =>
      sql.all<ChunkRow>("SELECT hash, grp, generation, state FROM chunk WHERE refs > 0 ORDER BY hash"),
    );
  }

  async #commit(chunks: readonly WrittenChunk[]): Promise<void> {
    try {
      await this.test.commit(`file-${this.#content}-${this.committed.length}`, chunks);
      this.committed.push(...chunks);
      this.log.push(`committed ${chunks.map((chunk) => chunk.group).join(" ")}`);
    } catch (error) {
      if (!isKind(error, "chunk-gone", "stale", "invalid")) throw error;
      this.log.push(`not committed: ${error.message}`);
    }
  }

  #newChunk(): WrittenChunk {
    this.#content++;
    return this.test.write(this.#content, { group: this.random.integer(16) });
  }

  #anyNode(): FakeNode {
    return this.test.nodes[this.random.integer(this.test.nodes.length)] as FakeNode;
  }

  #soundOn(row: ChunkRow): FakeNode[] {
    return this.test.nodes.filter((node) => {
      const copy = node.copy(row.grp as GroupId, idOf(row.hash));
      return copy?.generation === row.generation && !copy.corrupt;
    });
  }

  #isMember(group: GroupId, node: FakeNode): boolean {
    const { map, health } = this.test.cluster.core;
    const record = map.group(group);
    return record !== undefined && membersOf(record, { map, health }).some((member) => member.disk === node.node.disk);
  }
}

interface ChunkRow {
  readonly hash: Uint8Array;
  readonly grp: number;
  readonly generation: number;
  readonly state: number;
}

function idOf(hash: Uint8Array): WrittenChunk["id"] {
  return Buffer.from(hash).toString("hex") as WrittenChunk["id"];
}

test("whatever happens to nodes, disks and commits, no chunk is ever on no member, and in the end all is whole", async () => {
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    const random = new SeededRandom(seed);
    await using test = await TestHealing.open({
      seed,
      settings: { "repair.delay": 20_000, "repair.delay-single": 12_000 },
    });
    await test.addNode();
    await test.addNode();
    const chaos = new Chaos(test, random);
    for (const node of test.nodes) {
      node.before = async () => {
        if (random.fraction() < 0.5) await test.cluster.clock.sleep(random.integer(6000));
        if (random.fraction() < 0.05) throw new StorageError("unavailable", "send request", "the connection broke");
      };
      node.after = async () => {
        if (random.fraction() < 0.5) await test.cluster.clock.sleep(random.integer(3000));
        if (random.fraction() < 0.05) throw new StorageError("unavailable", "send request", "the answer was lost");
      };
    }
    try {
      for (let step = 0; step < steps; step++) await chaos.step();
      await chaos.comeBack();
      await chaos.stay();
      for (const node of test.nodes) {
        node.before = async () => undefined;
        node.after = async () => undefined;
      }
      await test.pass(240_000);
      await test.expectWhole(chaos.committed);
      await test.expectMapTrue();
      expect(await test.rows("SELECT * FROM extra_copy")).toEqual([]);
      expect(await test.rows("SELECT * FROM repair")).toEqual([]);
      expect(await test.healing.repairStatus()).toMatchObject({ state: "idle" });
    } catch (error) {
      throw new Error(`seed ${seed}\n${chaos.log.join("\n")}`, { cause: error });
    }
  }
}, 120_000);
