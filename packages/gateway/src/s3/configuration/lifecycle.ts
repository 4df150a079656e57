import type { Clock } from "@cairn/env";
import {
  type Bucket,
  type Entry,
  expirationOf,
  type LifecycleObject,
  type LifecycleRule,
  lifecycleDocument,
  type ObjectService,
  timeOfId,
} from "@cairn/protocol";
import type { BucketDocument, BucketDocuments } from "../bucket-documents.ts";
import { httpDate } from "../object-headers.ts";
import { Remembered } from "../remembered.ts";

/** The lifecycle rules of a bucket, which the metadata server carries out. */
export const lifecycleRules: BucketDocument<readonly LifecycleRule[]> = { name: lifecycleDocument };

type ExpirationHeader = { readonly "x-amz-expiration"?: string };
type ExpiringObject = Pick<LifecycleObject, "key" | "tags">;

/** Says when objects will go by the rules of their bucket. */
export class Expirations {
  readonly #documents: BucketDocuments;
  readonly #dayMs: Remembered<number>;

  constructor(
    clock: Clock,
    {
      documents,
      metadata,
    }: { readonly documents: BucketDocuments; readonly metadata: Pick<ObjectService, "lifecycleDayMs"> },
  ) {
    this.#documents = documents;
    this.#dayMs = new Remembered(clock, () => metadata.lifecycleDayMs());
  }

  /** The header of a current version that some rule will remove; none for others. Never throws. */
  async header(bucket: Bucket, object: Pick<Entry, "version" | "size"> & ExpiringObject): Promise<ExpirationHeader> {
    // What is answered has happened, whether the rules can be read now or not.
    const expiration = await this.#expirationOf(bucket, object).catch(() => undefined);
    if (!expiration) return {};
    const id = encodeURIComponent(expiration.rule.id ?? "");
    return { "x-amz-expiration": `expiry-date="${httpDate(expiration.at)}", rule-id="${id}"` };
  }

  async #expirationOf(
    bucket: Bucket,
    { key, version, size, tags }: Pick<Entry, "version" | "size"> & ExpiringObject,
  ): Promise<ReturnType<typeof expirationOf>> {
    const rules = await this.#documents.read(bucket, lifecycleRules);
    if (!rules || version === undefined) return undefined;
    return expirationOf(rules, { key, size, tags, createdAt: timeOfId(version) }, await this.#dayMs.get());
  }
}
