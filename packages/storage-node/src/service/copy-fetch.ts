import type { Hasher } from "@cairn/env";
import {
  asStorageError,
  type ChunkRead,
  type ChunkServiceAt,
  type CopyOrder,
  type CopyResult,
  compareBytes,
  type ErrorKind,
  hashOfChunkId,
  isKind,
  type Outcome,
  StorageError,
  succeeded,
  type WantedCopy,
} from "@cairn/protocol";

type Source = CopyOrder["sources"][number];
type BadSource = CopyResult["badSources"][number];

/** Bytes of a wanted chunk that have its SHA-256, and the sources that turned out not to have them. */
export interface FetchedCopy {
  readonly bytes: Uint8Array;
  readonly badSources: readonly BadSource[];
}

/** One chunk on its way through the sources. */
interface Quest {
  readonly wanted: WantedCopy;
  readonly badSources: BadSource[];
  /** Some source could not be asked: nobody can say that the chunk is lost. */
  unanswered: StorageError | undefined;
  bytes: Uint8Array | undefined;
}

/**
 * Fetches the chunks of one order from its sources, best first. What a source lacks, has damaged or does not answer for is
 * asked of the next one; a source that does not answer at all is not asked again within the order.
 */
export class CopyFetch {
  readonly #order: CopyOrder;
  readonly #chunksAt: ChunkServiceAt;
  readonly #hasher: Hasher;
  readonly #silent = new Map<Source, StorageError>();

  constructor(order: CopyOrder, { chunksAt, hasher }: { readonly chunksAt: ChunkServiceAt; readonly hasher: Hasher }) {
    this.#order = order;
    this.#chunksAt = chunksAt;
    this.#hasher = hasher;
  }

  /**
   * In the order of the chunks, which together have no more than batchBytesMax bytes or are one. Kinds: not-found (no source
   * has it), corrupt (none has it sound), unavailable (some could not be asked); `details.badSources` names the bad ones.
   */
  async fetch(chunks: readonly WantedCopy[], signal: AbortSignal): Promise<readonly Outcome<FetchedCopy>[]> {
    const quests = chunks.map((wanted): Quest => ({ wanted, badSources: [], unanswered: undefined, bytes: undefined }));
    for (const source of this.#order.sources) {
      const open = quests.filter(({ bytes }) => bytes === undefined);
      if (open.length === 0 || signal.aborted) break;
      await this.#ask(source, open, signal);
    }
    // Who was stopped has not asked everybody, and must not say that nobody has it.
    if (signal.aborted) for (const quest of quests) quest.unanswered ??= stopped();
    return quests.map((quest) =>
      quest.bytes
        ? succeeded({ bytes: quest.bytes, badSources: quest.badSources })
        : { ok: false, error: failureOf(quest) },
    );
  }

  async #ask(source: Source, quests: readonly Quest[], signal: AbortSignal): Promise<void> {
    const silent = this.#silent.get(source);
    if (silent) {
      for (const quest of quests) quest.unanswered = silent;
      return;
    }
    const answers = await this.#getAll(source, quests, signal);
    for (const [index, quest] of quests.entries()) {
      let answer = await this.#checked(quest.wanted, answers[index]);
      // Damage may come from the way as well as from the disk, and only a second look tells one from the other.
      if (!answer.ok && isKind(answer.error, "corrupt", "too-large")) {
        answer = await this.#checked(quest.wanted, await this.#getOne(source, quest, signal));
      }
      this.#settle(source, quest, answer);
    }
  }

  #settle({ disk }: Source, quest: Quest, answer: Outcome<Uint8Array>): void {
    if (answer.ok) quest.bytes = answer.value;
    else if (answer.error.kind === "corrupt") quest.badSources.push({ disk, what: "corrupt" });
    else if (answer.error.kind === "not-found") quest.badSources.push({ disk, what: "missing" });
    else quest.unanswered = answer.error;
  }

  async #getAll(
    source: Source,
    quests: readonly Quest[],
    signal: AbortSignal,
  ): Promise<readonly Outcome<Uint8Array>[]> {
    try {
      const reads = quests.map(({ wanted }) => this.#read(wanted));
      return await this.#chunksAt(source.url).getMany(reads, signal);
    } catch (error) {
      const failure = asStorageError(error, "fetch copy");
      if (!signal.aborted && !isKind(failure, "corrupt", "overloaded")) this.#silent.set(source, failure);
      return quests.map(() => ({ ok: false, error: failure }));
    }
  }

  async #getOne(source: Source, { wanted }: Quest, signal: AbortSignal): Promise<Outcome<Uint8Array>> {
    try {
      return succeeded(await this.#chunksAt(source.url).get(this.#read(wanted), signal));
    } catch (error) {
      return { ok: false, error: asStorageError(error, "fetch copy") };
    }
  }

  #read({ id }: WantedCopy): ChunkRead {
    return { id, group: this.#order.group, token: this.#order.readToken };
  }

  async #checked({ id, length }: WantedCopy, answer: Outcome<Uint8Array> | undefined): Promise<Outcome<Uint8Array>> {
    if (!answer?.ok) return answer ?? { ok: false, error: new StorageError("internal", "fetch copy", id) };
    const sound =
      answer.value.length === length && compareBytes(await this.#hasher.sha256(answer.value), hashOfChunkId(id)) === 0;
    if (sound) return answer;
    const why = "the source sent bytes that are not the chunk";
    return { ok: false, error: new StorageError("corrupt", "fetch copy", id, { details: { why } }) };
  }
}

function stopped(): StorageError {
  return new StorageError("cancelled", "fetch copy", "the order was stopped");
}

/** Missing everywhere, damaged where it is not missing, or not to be decided now. */
function failureOf({ wanted, badSources, unanswered }: Quest): StorageError {
  const damaged = badSources.some(({ what }) => what === "corrupt");
  const kind: ErrorKind = unanswered ? "unavailable" : damaged ? "corrupt" : "not-found";
  return new StorageError(kind, "copy chunk", wanted.id, {
    details: { badSources },
    ...(unanswered ? { cause: unanswered } : {}),
  });
}
