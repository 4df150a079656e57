import type { Clock } from "@cairn/env";
import type { Bucket, MetadataService } from "@cairn/protocol";
import { S3Error } from "./s3-error.ts";

/** How long the buckets are remembered; one that another gateway makes is seen so late at most. */
const rememberMs = 1000;

/** The cluster's drives as buckets, remembered for a moment. */
export class Buckets {
  readonly #clock: Clock;
  readonly #metadata: Pick<MetadataService, "buckets">;
  #known: { readonly buckets: Promise<readonly Bucket[]>; readonly until: number } | undefined;

  constructor(clock: Clock, metadata: Pick<MetadataService, "buckets">) {
    this.#clock = clock;
    this.#metadata = metadata;
  }

  /** In order of their names. */
  all(): Promise<readonly Bucket[]> {
    const now = this.#clock.monotonic();
    if (this.#known && this.#known.until > now) return this.#known.buckets;
    const buckets = this.#metadata.buckets();
    this.#known = { buckets, until: now + rememberMs };
    buckets.catch(() => this.forget());
    return buckets;
  }

  /** Throws NoSuchBucket. One that is not known is asked for anew. */
  async find(name: string): Promise<Bucket> {
    const known = await this.remembered(name);
    if (known) return known;
    this.forget();
    const found = await this.remembered(name);
    if (!found) throw new S3Error("NoSuchBucket", undefined, { BucketName: name.slice(0, 100) });
    return found;
  }

  /** One that was there a moment ago: whatever is asked, the cluster is asked once in that time. */
  async remembered(name: string): Promise<Bucket | undefined> {
    return (await this.all()).find((bucket) => bucket.name === name);
  }

  /** A bucket was changed here. */
  forget(): void {
    this.#known = undefined;
  }
}
