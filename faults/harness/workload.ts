import { join } from "node:path";
import type { CairnClient } from "@cairn/client";
import { isKind, type StorageError } from "@cairn/protocol";
import { Ledger, type LedgerEntry } from "../ledger/ledger.ts";
import { judge } from "../ledger/legal-reads.ts";
import { type PayloadHeader, parsePayload, payloadBytesMin, payloadOf } from "../ledger/payload.ts";
import type { RowContext } from "../run/row-context.ts";
import type { FaultCluster } from "./fault-cluster.ts";

export interface WorkloadOptions {
  /** Each writes keys of its own and reads those of all. Default: 4. */
  readonly clients?: number;
  readonly keysPerClient?: number;
  /** Size of the largest payload. Default: 2 MiB, and most are far smaller. */
  readonly bytesMax?: number;
  /** An operation without an answer after this counts as unknown. Default: 60 s. */
  readonly patienceMs?: number;
  /** Share of deletes and of reads. Default: 0.1 and 0.4. */
  readonly deletes?: number;
  readonly reads?: number;
}

/** Failures that say for sure that nothing happened. */
const definite = ["conflict", "precondition-failed", "invalid", "too-large", "forbidden", "unauthenticated"] as const;
let workloads = 0;

/** Uploads, overwrites, deletes and reads by several clients, with a ledger of what they asked for and were told. */
export class Workload {
  readonly ledger: Ledger;
  readonly run: string;
  readonly folder: string;
  readonly clients: readonly CairnClient[];
  readonly counts = { ok: 0, failed: 0, unknown: 0, reads: 0, readsFailed: 0, longestMs: 0 };
  /** Failures of operations, newest last. */
  readonly errors: string[] = [];
  readonly #context: RowContext;
  readonly #options: Required<WorkloadOptions>;
  readonly #present = new Set<string>();
  readonly #seqs: number[];
  #stopping = false;
  #running: Promise<unknown> = Promise.resolve();

  constructor(context: RowContext, cluster: FaultCluster, options: WorkloadOptions = {}) {
    this.#context = context;
    this.#options = {
      ...{ clients: 4, keysPerClient: 12, bytesMax: 2 * 1024 * 1024, patienceMs: 60_000, deletes: 0.1, reads: 0.4 },
      ...options,
    };
    const number = ++workloads;
    this.run = `${context.seed}.${number}`;
    this.folder = `/load-${number}`;
    this.ledger = new Ledger(join(context.folder, `ledger-${number}.jsonl`));
    context.defer("close ledger", () => this.ledger[Symbol.dispose]());
    this.clients = Array.from({ length: this.#options.clients }, () => cluster.client());
    this.#seqs = this.clients.map(() => 0);
    context.defer("end the load", () => this.stop());
  }

  get acknowledged(): number {
    return this.counts.ok;
  }

  async start(): Promise<this> {
    await this.clients[0]?.createFolder(this.folder, { parents: true });
    this.#stopping = false;
    this.#running = Promise.all(this.clients.map((_, client) => this.#work(client)));
    return this;
  }

  /** Ends after the operations under way. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#running;
  }

  /** Runs until so many more changes were acknowledged. */
  async more(changes: number, limitMs = 120_000): Promise<void> {
    const wanted = this.counts.ok + changes;
    await this.#context.until(`${changes} more changes are acknowledged`, () => this.counts.ok >= wanted, limitMs);
  }

  keysOf(client: number): readonly string[] {
    return Array.from({ length: this.#options.keysPerClient }, (_, index) => `c${client}-k${index}`);
  }

  changesOf(key: string): readonly LedgerEntry[] {
    return this.ledger.entries.filter((entry) => entry.key === key);
  }

  async put(client: number, key: string, length: number): Promise<LedgerEntry> {
    const seq = (this.#seqs[client] ?? 0) + 1;
    this.#seqs[client] = seq;
    const bytes = payloadOf({ run: this.run, client, seq, key, length });
    const entry = this.ledger.begin({ kind: "put", key, client, seq, length });
    const target = { folder: this.folder, name: key, onConflict: "version" } as const;
    await this.#attempt(entry, (signal) => this.#client(client).upload({ bytes }, target, { signal }));
    if (entry.outcome !== "fail") this.#present.add(key);
    return entry;
  }

  async delete(client: number, key: string): Promise<LedgerEntry> {
    const entry = this.ledger.begin({ kind: "delete", key, client, seq: this.#seqs[client] ?? 0, length: 0 });
    await this.#attempt(entry, (signal) => this.#client(client).delete(`${this.folder}/${key}`, { signal }));
    this.#present.delete(key);
    return entry;
  }

  /** Reads a key and judges what came (O1). False: it could not be read. */
  async read(client: CairnClient, key: string): Promise<boolean> {
    const begin = performance.now();
    this.counts.reads++;
    let seen: PayloadHeader | undefined;
    try {
      seen = await this.#see(client, key);
    } catch (error) {
      this.counts.readsFailed++;
      if (error instanceof WrongBytes) this.#context.expect("O1", false, `read of ${key}: ${error.message}`);
      else this.#noteError("read", key, error as StorageError);
      return false;
    }
    const end = performance.now();
    this.#took(end - begin);
    const judgement = judge(this.changesOf(key), { key, begin, end, seen });
    this.#context.expect("O1", judgement === undefined, `${judgement?.violation}: ${judgement?.message}`);
    return true;
  }

  async #see(client: CairnClient, key: string): Promise<PayloadHeader | undefined> {
    const signal = AbortSignal.timeout(this.#options.patienceMs);
    const parts: Uint8Array[] = [];
    try {
      const download = await client.download(`${this.folder}/${key}`, { signal });
      for await (const part of download.bytes) parts.push(Uint8Array.from(part));
    } catch (error) {
      if (isKind(error, "not-found") && parts.length === 0) return undefined;
      throw error;
    }
    let header: PayloadHeader;
    try {
      header = parsePayload(Buffer.concat(parts));
    } catch (error) {
      throw new WrongBytes((error as Error).message);
    }
    if (header.run !== this.run) throw new WrongBytes(`bytes of another run: ${header.run}`);
    return header;
  }

  async #work(client: number): Promise<void> {
    while (!this.#stopping && !this.#context.signal.aborted) {
      const key = this.#pick(this.keysOf(client));
      const draw = Math.random();
      const { reads, deletes } = this.#options;
      if (draw < reads) await this.read(this.#client(client), this.#anyKey());
      else if (draw < reads + deletes && this.#present.has(key)) await this.delete(client, key);
      else await this.put(client, key, this.#size());
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  async #attempt(entry: LedgerEntry, work: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
    try {
      await work(AbortSignal.timeout(this.#options.patienceMs));
      this.ledger.end(entry, "ok");
      this.counts.ok++;
      this.#took(entry.end - entry.begin);
    } catch (error) {
      const failure = error as StorageError;
      if (entry.kind === "delete" && isKind(error, "not-found")) {
        this.ledger.end(entry, "fail", "not-found");
        const judgement = judge(this.changesOf(entry.key), {
          key: entry.key,
          begin: entry.begin,
          end: entry.end,
          seen: undefined,
        });
        this.#context.expect("O1", judgement === undefined, `delete found nothing, ${judgement?.message}`);
        return;
      }
      const known = isKind(error, ...definite);
      this.ledger.end(entry, known ? "fail" : "unknown", failure.message);
      if (known) this.counts.failed++;
      else this.counts.unknown++;
      this.#noteError(entry.kind, entry.key, failure);
    }
  }

  #client(client: number): CairnClient {
    return this.clients[client] as CairnClient;
  }

  #pick(keys: readonly string[]): string {
    return keys[Math.floor(Math.random() * keys.length)] ?? "";
  }

  #anyKey(): string {
    return this.#pick(this.keysOf(Math.floor(Math.random() * this.clients.length)));
  }

  /** Most files are small; some have several chunks. */
  #size(): number {
    const largest = this.#options.bytesMax;
    return payloadBytesMin + Math.floor(Math.random() ** 6 * (largest - payloadBytesMin));
  }

  #took(ms: number): void {
    this.counts.longestMs = Math.max(this.counts.longestMs, ms);
  }

  #noteError(what: string, key: string, error: StorageError): void {
    const cause = error.cause instanceof Error ? ` (${error.cause.message})` : "";
    this.errors.push(`${what} ${key}: ${error.kind ?? error.name}: ${error.message}${cause}`.slice(0, 400));
    if (this.errors.length > 1000) this.errors.shift();
  }
}

/** A read that ended well with bytes that nobody wrote so. */
class WrongBytes extends Error {}
