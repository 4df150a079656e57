import type { WriteSource } from "@cairn/drive";
import type { SqlValue } from "@cairn/env";
import type { Drive } from "@cairn/protocol";
import { Operator } from "../faults/operator.ts";
import { Ledger } from "../oracle/ledger.ts";
import { verifyWorld } from "../oracle/verdict.ts";
import { type Content, Contents, digestOf } from "../workload/contents.ts";
import { FileOperations } from "../workload/file-operations.ts";
import { isRefusal, RawClient } from "../workload/raw-client.ts";
import type { NodeHost } from "../world/node-host.ts";
import { World } from "../world/world.ts";

const chunkBytes = 4096;
const patienceMs = 600_000;
const lookEveryMs = 20;

export interface SceneOptions {
  readonly seed: number;
  readonly nodes?: number;
  readonly copies?: number;
  readonly disksPerNode?: number;
  readonly settings?: Readonly<Record<string, number>>;
  readonly echo?: ((line: string) => void) | undefined;
}

/** A cluster with two clients in which one story is told, and the verdict at its end. */
export class Scene {
  readonly world: World;
  readonly operator: Operator;
  readonly ledger: Ledger = new Ledger();
  readonly contents: Contents;
  readonly drive: Drive;
  readonly files: FileOperations;
  readonly others: FileOperations;
  /** A program of the first client's machine that does as it likes. */
  readonly raw: RawClient;
  /** Commands that destroy something and were carried out, with the virtual ms at which they were. */
  readonly destroyed: { readonly at: number; readonly target: string }[] = [];

  private constructor(world: World, drive: Drive) {
    this.world = world;
    this.drive = drive;
    this.operator = new Operator(world);
    this.contents = new Contents(world.fork(), { chunkBytes, chunks: 12 });
    const [one, other] = world.clients;
    if (!one || !other) throw new Error("a scene has two clients");
    const parts = { world, drive, ledger: this.ledger };
    this.files = new FileOperations(parts, one, world.fork());
    this.others = new FileOperations(parts, other, world.fork());
    this.raw = new RawClient(parts, one);
    world.network.tap = ({ target, method, status }) => {
      const destroys = target === "/chunks/delete" || (method === "DELETE" && target.startsWith("/groups/"));
      if (destroys && status < 300) this.destroyed.push({ at: world.timeline.now, target });
    };
  }

  static async open({ nodes = 4, copies = 2, disksPerNode = 1, settings = {}, ...more }: SceneOptions): Promise<Scene> {
    const world = await World.make({
      ...{ ...more, nodes, copies, disksPerNode, clients: 2, chunkBytes, diskBytes: 512 * 2 ** 20 },
      settings: { ...quickSettings, ...settings },
    });
    await world.boot();
    const { opened } = world.metadata;
    const [drive] = await world.timeline.run(opened?.metadata.drives() ?? Promise.resolve([]), 10_000);
    if (!drive) throw new Error("a new cluster has a drive");
    const scene = new Scene(world, drive);
    scene.operator.start();
    return scene;
  }

  get nodes(): readonly NodeHost[] {
    return this.world.nodes;
  }

  node(number: number): NodeHost {
    const node = this.world.nodes[number - 1];
    if (!node) throw new Error(`there is no node ${number}`);
    return node;
  }

  /** Lets virtual time pass. */
  async pass(ms: number): Promise<void> {
    await this.world.timeline.runUntil(this.world.timeline.now + ms, () => this.world.violation !== undefined);
  }

  /** Lets time pass until the work has ended. */
  do<Result>(work: Promise<Result>): Promise<Result> {
    return this.world.timeline.run(work, 7_200_000);
  }

  /** Writes a file that must be taken. */
  async put(name: string, content: Content = this.contents.draw(4)): Promise<Content> {
    if (!(await this.do(this.files.put(name, content)))) this.world.violate("all is well", `${name} was not taken`);
    return content;
  }

  /** Writes a file whose source takes its time. */
  async putSlowly(name: string, { chunks, pauseMs }: { chunks: number; pauseMs: number }): Promise<void> {
    const { world, drive } = this;
    const pieces = Array.from({ length: chunks }, () => this.contents.draw(1).bytes);
    const bytes = Buffer.concat(pieces);
    async function* slowly(): AsyncGenerator<Uint8Array> {
      for (const piece of pieces) {
        await world.timeline.pause(pauseMs);
        yield piece;
      }
    }
    const change = this.ledger.begin(name, digestOf(bytes), world.timeline.now);
    const source: WriteSource = { stream: slowly() };
    const writer = world.clients[0]?.parts.writer;
    await writer?.write({ drive: drive.id, parent: drive.root, name, onConflict: "version" }, source);
    this.ledger.acknowledge(change, world.timeline.now);
  }

  /** What must hold at this point of the story. */
  must(condition: boolean, what: string): void {
    if (!condition) this.world.violate("the story goes well", `not so: ${what}`);
  }

  /** What nobody may be allowed to do. */
  async mustRefuse(what: string, work: Promise<unknown>): Promise<void> {
    const refused = work.then(
      () => false,
      (error: unknown) => {
        if (!isRefusal(error)) throw error;
        return true;
      },
    );
    this.must(await this.do(refused), `${what} is refused`);
  }

  /** Rows of the database as they stand. */
  rows<Row>(text: string, ...values: readonly SqlValue[]): Promise<Row[]> {
    // A transaction may have the database that waits for time to pass.
    return this.do(this.world.metadata.database.read((sql) => sql.all<Row>(text, ...values)));
  }

  /** Lets time pass until the database has such a row. */
  async untilRow(text: string, ...values: readonly SqlValue[]): Promise<void> {
    const endsAt = this.world.timeline.now + patienceMs;
    while ((await this.rows(text, ...values)).length === 0) {
      if (this.world.timeline.now > endsAt) throw new Error(`there is never a row: ${text}`);
      await this.pass(lookEveryMs);
    }
  }

  /** Nothing goes wrong any more; everything must be there, whole, often enough, and nothing else. */
  async verify(): Promise<void> {
    const { world, ledger, drive } = this;
    this.operator.mendAll();
    if (!world.violation) await verifyWorld({ world, ledger, drive });
  }

  async close(): Promise<void> {
    this.operator.stop();
    await this.world.metadata.database[Symbol.asyncDispose]();
  }
}

const quickSettings = {
  "repair.delay": 45_000,
  "repair.delay-single": 15_000,
  "safe-mode.time": 60_000,
  "storm.window": 60_000,
  "collect.grace": 30_000,
  "collect.trash": 60_000,
  "collect.every": 10_000,
  "collect.orphans-every": 20_000,
  "collect.audit-every": 60_000,
  "scrub.every": 120_000,
};
