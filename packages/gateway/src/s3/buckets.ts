import type { Clock } from "@cairn/env";
import type { Bucket, MetadataService } from "@cairn/protocol";
import { Remembered } from "./remembered.ts";
import { S3Error } from "./s3-error.ts";

/** The cluster's drives as buckets, remembered for a moment. */
export class Buckets {
  readonly #all: Remembered<readonly Bucket[]>;

  constructor(clock: Clock, metadata: Pick<MetadataService, "buckets">) {
    this.#all = new Remembered(clock, () => metadata.buckets());
  }

  /** In order of their names. */
  all(): Promise<readonly Bucket[]> {
    return this.#all.get();
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
    this.#all.forget();
  }
}
