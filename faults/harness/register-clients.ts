import type { CairnClient } from "@cairn/client";
import { isKind, type StorageError } from "@cairn/protocol";
import { parsePayload, payloadOf } from "../ledger/payload.ts";
import { checkLinearizable, failures } from "../linearizability/checker.ts";
import type { Answer, Call, Operation, Value } from "../linearizability/history.ts";
import type { RowContext } from "../run/row-context.ts";
import type { FaultCluster } from "./fault-cluster.ts";

export interface RegisterOptions {
  readonly clients: number;
  /** Keys that all of them share. */
  readonly keys: number;
  /** Size of every value. */
  readonly bytes: number;
  readonly patienceMs?: number;
}

/** What a client knows of a key: the value it saw last, and the etag that stands for it. */
interface Sight {
  readonly value: string;
  readonly etag: string;
}

/** Clients that use files as registers, and the history of what they were told (O2). */
export class RegisterClients {
  readonly history: Operation[] = [];
  readonly #context: RowContext;
  readonly #options: RegisterOptions;
  readonly #clients: readonly CairnClient[];
  #values = 0;

  constructor(context: RowContext, cluster: FaultCluster, options: RegisterOptions) {
    this.#context = context;
    this.#options = options;
    this.#clients = Array.from({ length: options.clients }, () => cluster.client());
  }

  /** So many calls by the clients `from` … `to`, of kinds drawn from those given. */
  async run(
    kinds: readonly Call["kind"][],
    { operations, from = 0, to = this.#options.clients }: { operations: number; from?: number; to?: number },
  ): Promise<void> {
    let left = operations;
    const work = async (number: number): Promise<void> => {
      const sights = new Map<string, Sight>();
      while (left-- > 0 && !this.#context.signal.aborted) {
        const key = `r${Math.floor(Math.random() * this.#options.keys)}`;
        const kind = kinds[Math.floor(Math.random() * kinds.length)] ?? "get";
        await this.#call(number, { key, kind, sights });
      }
    };
    await Promise.all(Array.from({ length: to - from }, (_, index) => work(from + index)));
  }

  /** Asks the checker; what it cannot decide counts as wrong. */
  judge(): void {
    const unknown = this.history.filter(({ answer }) => answer.kind === "unknown").length;
    this.#context.note("register calls", this.history.length);
    this.#context.note("of them unknown", unknown);
    const reports = checkLinearizable(this.history);
    const wrong = failures(reports);
    this.#context.expect("O2", wrong.length === 0, wrong.slice(0, 2).join("\n"));
    const done = this.history.filter(({ answer }) => answer.kind === "done").length;
    this.#context.expect("O2", done > 10, `only ${done} changes succeeded; the history shows nothing`);
  }

  async #call(client: number, plan: { key: string; kind: Call["kind"]; sights: Map<string, Sight> }): Promise<void> {
    const { key, sights } = plan;
    const sight = sights.get(key);
    // Without a value to compare with, a compare-and-set is a look.
    const kind = plan.kind === "cas" && !sight ? "get" : plan.kind;
    const value = `${client}.${++this.#values}`;
    const call: Call =
      kind === "cas"
        ? { kind, expected: sight?.value ?? "", value }
        : kind === "get" || kind === "delete"
          ? { kind }
          : { kind, value };
    const begin = performance.now();
    let answer: Answer;
    try {
      answer = await this.#perform(client, { key, call, sight, sights });
    } catch (error) {
      answer = this.#answerOf(call, error as StorageError);
      if (answer.kind === "refused") sights.delete(key);
    }
    this.history.push({ key, client, call, begin, end: performance.now(), answer });
  }

  async #perform(
    number: number,
    { key, call, sight, sights }: { key: string; call: Call; sight: Sight | undefined; sights: Map<string, Sight> },
  ): Promise<Answer> {
    const client = this.#clients[number] as CairnClient;
    const signal = AbortSignal.timeout(this.#options.patienceMs ?? 60_000);
    if (call.kind === "get") {
      const seen = await this.#see(client, key, signal);
      if (seen) sights.set(key, seen);
      else sights.delete(key);
      return { kind: "value", value: seen?.value };
    }
    if (call.kind === "delete") {
      await client.delete(`/${key}`, { signal });
      sights.delete(key);
      return { kind: "done" };
    }
    const seq = Number(call.value.split(".")[1]);
    const bytes = payloadOf({ run: this.#context.seed, client: number, seq, key, length: this.#options.bytes });
    const condition =
      call.kind === "create" ? { ifMatch: null } : call.kind === "cas" ? { ifMatch: sight?.etag ?? null } : {};
    const { entry } = await client.upload({ bytes }, { name: key, onConflict: "version", ...condition }, { signal });
    if (entry.etag !== undefined) sights.set(key, { value: call.value, etag: entry.etag });
    return { kind: "done" };
  }

  async #see(client: CairnClient, key: string, signal: AbortSignal): Promise<Sight | undefined> {
    const parts: Uint8Array[] = [];
    const download = await client.download(`/${key}`, { signal });
    for await (const part of download.bytes) parts.push(Uint8Array.from(part));
    const header = parsePayload(Buffer.concat(parts));
    this.#context.expect(
      "O1",
      header.key === key && header.run === this.#context.seed,
      `${key} has bytes of ${header.key}`,
    );
    return { value: `${header.client}.${header.seq}`, etag: download.entry.etag ?? "" };
  }

  #answerOf(call: Call, error: StorageError): Answer {
    if (isKind(error, "not-found"))
      return call.kind === "get" ? { kind: "value", value: undefined as Value } : { kind: "refused" };
    if (isKind(error, "conflict", "precondition-failed"))
      return call.kind === "put" ? { kind: "unknown" } : { kind: "refused" };
    if (!("kind" in error)) this.#context.expect("O1", false, `a read gave ${String(error)}`);
    return { kind: "unknown" };
  }
}
