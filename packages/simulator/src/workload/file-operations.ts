import { type Drive, type EntryAddress, type MetadataService, newId } from "@cairn/protocol";
import { type AckedVersion, absent, type Change, type FileState, type Ledger } from "../oracle/ledger.ts";
import type { SeededRandom } from "../random/seeded-random.ts";
import type { ClientHost, ClientParts } from "../world/client-host.ts";
import type { World } from "../world/world.ts";
import { type Attempt, attempt } from "./attempt.ts";
import { type Content, digestOf } from "./contents.ts";

export interface WorkloadParts {
  readonly world: World;
  readonly ledger: Ledger;
  readonly drive: Drive;
}

/** What one client does with files; each operation enters the ledger and is checked against it. */
export class FileOperations {
  readonly #world: World;
  readonly #ledger: Ledger;
  readonly #drive: Drive;
  readonly #client: ClientHost;
  readonly #random: SeededRandom;

  constructor({ world, ledger, drive }: WorkloadParts, client: ClientHost, random: SeededRandom) {
    this.#world = world;
    this.#ledger = ledger;
    this.#drive = drive;
    this.#client = client;
    this.#random = random;
  }

  async put(name: string, content: Content, signal?: AbortSignal): Promise<boolean> {
    const change = this.#begin(name, content.digest);
    const target = { drive: this.#drive.id, parent: this.#drive.root, name, onConflict: "version" as const };
    const put = await this.#attempt(`put ${name} ${content.bytes.length}`, ({ writer }) =>
      writer.write(target, { bytes: content.bytes }, { signal }),
    );
    if (put.kind !== "done") return false;
    this.#acknowledge(change);
    const { entry } = put.result;
    if (entry.size !== content.bytes.length) this.#violate("integrity", `${name} has ${entry.size} bytes after a put`);
    if (entry.version !== undefined) {
      this.#ledger.remember({ path: name, entry: entry.id, version: entry.version, state: content.digest });
    }
    return true;
  }

  /** Reads a whole file, or a range when the state of the file is known, and checks every byte. */
  async read(name: string): Promise<boolean> {
    const from = this.#now();
    const read = await this.#attempt(`read ${name}`, async ({ reader }) => {
      const file = await reader.open(this.#address(name));
      const pieces: Uint8Array[] = [];
      for await (const piece of file.bytes) pieces.push(piece);
      return Buffer.concat(pieces);
    });
    if (read.kind === "done") this.#check(name, { state: digestOf(read.result), from });
    else if (isNotFound(read)) this.#checkGone(name, from);
    return read.kind === "done" || isNotFound(read);
  }

  async readRange(name: string, contents: ReadonlyMap<FileState, Uint8Array>): Promise<void> {
    const states = [...this.#ledger.possible(name, this.#now(), this.#now())];
    const whole = contents.get(states[0] ?? absent);
    if (states.length !== 1 || !whole || whole.length === 0) return;
    const offset = this.#random.integer(whole.length);
    const length = 1 + this.#random.integer(whole.length - offset);
    const from = this.#now();
    const work = async ({ reader }: ClientParts): Promise<Buffer> => {
      const file = await reader.open(this.#address(name), { offset, length });
      const pieces: Uint8Array[] = [];
      for await (const piece of file.bytes) pieces.push(piece);
      return Buffer.concat(pieces);
    };
    const read = await attempt(this.#world, this.#client, {
      ...{ name: `read ${name} from ${offset}`, work, expects: "range" },
    });
    // Another change may have come between; then only a whole read tells more.
    if (this.#ledger.possible(name, from, this.#now()).size !== 1) return;
    if (read.kind === "failed" && read.error.kind === "range") {
      this.#violate("integrity", `${name} is shorter than ${offset + length} bytes`);
    }
    if (read.kind !== "done") return;
    if (!read.result.equals(whole.subarray(offset, offset + length))) {
      this.#violate("integrity", `${name} has other bytes from ${offset} on`);
    }
  }

  /** An old version stays what it was for as long as nobody removes its file. */
  async readVersion({ path, entry, version, state }: AckedVersion): Promise<void> {
    const read = await this.#attempt(`read ${path} as ${version}`, async ({ reader }) => {
      const file = await reader.open({ id: entry }, { version });
      const pieces: Uint8Array[] = [];
      for await (const piece of file.bytes) pieces.push(piece);
      return digestOf(Buffer.concat(pieces));
    });
    if (read.kind === "failed") this.#violate("durability", `${version} of ${path}: ${read.error.message}`);
    else if (read.kind === "done" && read.result !== state) this.#violate("integrity", `${version} of ${path}`);
  }

  /**
   * To the trash or for good. Removed is the entry that the name stood for when it was looked up; what takes its place
   * after that stays, so the change reaches back to the look-up.
   */
  async remove(name: string, way: "trash" | "remove"): Promise<void> {
    const from = this.#now();
    const found = await this.#attempt(`stat ${name}`, ({ metadata }) => metadata.stat(this.#address(name)));
    if (found.kind !== "done") return;
    const change = this.#ledger.begin(name, absent, from);
    this.#ledger.mayBeGone(found.result.id);
    const removed = await this.#attempt(`${way} ${name}`, ({ metadata }) =>
      this.#removing(metadata, found.result.id, way),
    );
    if (removed.kind === "done") this.#acknowledge(change);
    // Somebody else was quicker: the path may have been empty, or hold another entry by now.
    else if (isNotFound(removed)) this.#ledger.refuse(name, change);
  }

  /** Takes what one name is known to hold to another; only for names that nobody else changes. */
  async move(from: string, to: string): Promise<void> {
    const states = [...this.#ledger.possible(from, this.#now(), this.#now())];
    const state = states[0];
    if (states.length !== 1 || state === undefined || state === absent) return;
    const found = await this.#attempt(`stat ${from}`, ({ metadata }) => metadata.stat(this.#address(from)));
    if (found.kind !== "done") return;
    if (from === to) return;
    this.#ledger.mayBeReplaced(to);
    this.#ledger.mayStandAt(to, found.result.id);
    const changes = [this.#begin(from, absent), this.#begin(to, state)];
    const commit = newId("cm_", this.#now(), this.#random.bytes(10));
    const moved = await this.#attempt(`move ${from} to ${to}`, ({ metadata }) =>
      metadata.move(commit, found.result.id, { name: to, onConflict: "replace" }),
    );
    if (moved.kind === "done") for (const change of changes) this.#acknowledge(change);
    else this.#ledger.mayMove(from, to);
  }

  /** Goes through the whole folder page by page and compares it with what the ledger allows. */
  async list(): Promise<boolean> {
    const from = this.#now();
    const size = 1 + this.#random.integer(20);
    const listed = await this.#attempt(`list by ${size}`, async ({ metadata }) => {
      const names: string[] = [];
      let cursor: string | undefined;
      do {
        const page = await metadata.list(this.#drive.root, { size, cursor });
        names.push(...page.items.map((entry) => entry.name));
        cursor = page.cursor;
      } while (cursor !== undefined);
      return names;
    });
    if (listed.kind !== "done") return false;
    this.#checkListing(listed.result, from);
    return true;
  }

  #checkListing(names: readonly string[], from: number): void {
    const to = this.#now();
    for (const [index, name] of names.entries()) {
      const before = names[index - 1];
      if (before !== undefined && Buffer.compare(Buffer.from(before), Buffer.from(name)) >= 0) {
        this.#violate("listing", `${before} stands before ${name}`);
      }
      const possible = this.#ledger.possible(name, from, to);
      if (possible.size === 1 && possible.has(absent)) this.#violate("listing", `${name} is listed and was removed`);
    }
    const listed = new Set(names);
    for (const path of this.#ledger.paths()) {
      if (!listed.has(path) && !this.#ledger.possible(path, from, to).has(absent)) {
        this.#violate("listing", `${path} is missing`);
      }
    }
  }

  async #removing(
    metadata: MetadataService,
    entry: Parameters<MetadataService["remove"]>[1],
    way: "trash" | "remove",
  ): Promise<void> {
    const commit = newId("cm_", this.#now(), this.#random.bytes(10));
    await (way === "trash" ? metadata.trash(commit, entry) : metadata.remove(commit, entry));
  }

  #check(name: string, { state, from }: { state: FileState; from: number }): void {
    const possible = this.#ledger.possible(name, from, this.#now());
    if (possible.has(state)) return;
    const wanted = [...possible].map(short).join(" or ");
    this.#violate(state === absent ? "durability" : "integrity", `${name} is ${short(state)}, and must be ${wanted}`);
  }

  /** Not found counts as absent, and also when another state came in the middle of a read and took the version away. */
  #checkGone(name: string, from: number): void {
    const possible = this.#ledger.possible(name, from, this.#now());
    if (!possible.has(absent)) this.#violate("durability", `${name} is gone, and must be ${[...possible].map(short)}`);
  }

  #attempt<Result>(name: string, work: Parameters<typeof attempt<Result>>[2]["work"]): Promise<Attempt<Result>> {
    return attempt(this.#world, this.#client, { name, work });
  }

  #begin(path: string, state: FileState): Change {
    return this.#ledger.begin(path, state, this.#now());
  }

  #acknowledge(change: Change): void {
    this.#ledger.acknowledge(change, this.#now());
  }

  #address(name: string): EntryAddress {
    return { drive: this.#drive.id, path: `/${name}` };
  }

  #now(): number {
    return this.#world.timeline.now;
  }

  #violate(oracle: string, message: string): void {
    this.#world.violate(oracle, message);
  }
}

function isNotFound(outcome: Attempt<unknown>): boolean {
  return outcome.kind === "failed" && outcome.error.kind === "not-found";
}

function short(state: FileState): string {
  return state.slice(0, 8);
}
