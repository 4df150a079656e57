import type { Clock } from "@cairn/env";
import type { Bucket, ObjectService } from "@cairn/protocol";

/** A configuration that is kept with a bucket. The type is that of its JSON. */
export interface BucketDocument<Value> {
  readonly name: string;
  /** Only for the compiler: there is no such member. */
  readonly value?: Value;
}

/** A change by another gateway is seen so late at most. */
const rememberMs = 1000;
const rememberedMax = 1024;
/** Characters of JSON; what they became takes a few times as much. */
const rememberedTextMax = 4 * 1024 * 1024;

interface Known {
  readonly until: number;
  readonly asked: Promise<unknown>;
  characters: number;
}

/** The configurations of buckets, remembered for a moment: some are looked at with every request. */
export class BucketDocuments {
  readonly #clock: Clock;
  readonly #metadata: Pick<ObjectService, "bucketDocument" | "setBucketDocument">;
  /** Oldest first. */
  readonly #known = new Map<string, Known>();
  #characters = 0;

  constructor(clock: Clock, metadata: Pick<ObjectService, "bucketDocument" | "setBucketDocument">) {
    this.#clock = clock;
    this.#metadata = metadata;
  }

  /** Undefined when the bucket has none. The value belongs to all who ask. */
  read<Value>({ drive }: Bucket, { name }: BucketDocument<Value>): Promise<Value | undefined> {
    const place = `${drive} ${name}`;
    const known = this.#known.get(place);
    if (known && known.until > this.#clock.monotonic()) return known.asked as Promise<Value | undefined>;
    this.#forget(place);
    const fresh: Known = {
      until: this.#clock.monotonic() + rememberMs,
      asked: this.#metadata.bucketDocument(drive, name).then((text) => {
        if (text === undefined) return undefined;
        this.#count(place, fresh, text.length);
        return JSON.parse(text) as unknown;
      }),
      characters: 0,
    };
    this.#known.set(place, fresh);
    // A failure is not remembered.
    fresh.asked.catch(() => this.#forget(place, fresh));
    this.#makeRoom();
    return fresh.asked as Promise<Value | undefined>;
  }

  /** Durable when it returns. `value` undefined: none any more. */
  async keep<Value>(
    { drive }: Bucket,
    { name }: BucketDocument<Value>,
    value: NoInfer<Value> | undefined,
  ): Promise<void> {
    try {
      await this.#metadata.setBucketDocument(drive, name, value === undefined ? null : JSON.stringify(value));
    } finally {
      this.#forget(`${drive} ${name}`);
    }
  }

  #count(place: string, known: Known, characters: number): void {
    if (this.#known.get(place) !== known) return;
    known.characters = characters;
    this.#characters += characters;
    this.#makeRoom();
  }

  #makeRoom(): void {
    while (this.#known.size > rememberedMax || (this.#characters > rememberedTextMax && this.#known.size > 1)) {
      const oldest = this.#known.keys().next().value;
      if (oldest === undefined) return;
      this.#forget(oldest);
    }
  }

  /** `only`: not what was remembered in its place meanwhile. */
  #forget(place: string, only?: Known): void {
    const known = this.#known.get(place);
    if (!known || (only && known !== only)) return;
    this.#known.delete(place);
    this.#characters -= known.characters;
  }
}
