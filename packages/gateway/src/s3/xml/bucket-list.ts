import { type Owner, writeOwner } from "./access-control-policy.ts";
import { xmlDocument } from "./xml-document.ts";
import { leaf, nest, xmlTime } from "./xml-text.ts";

/** A bucket in a list. */
export interface ListedBucket {
  readonly name: string;
  readonly createdMs: number;
  readonly region?: string;
}

/** One page of an account's buckets. */
export interface BucketList {
  readonly owner: Owner;
  readonly buckets: readonly ListedBucket[];
  readonly prefix?: string;
  readonly continuationToken?: string;
}

/** The answer of ListBuckets. */
export function writeBucketList({ owner, buckets, prefix, continuationToken }: BucketList): string {
  const elements = buckets.map((bucket) =>
    nest(
      "Bucket",
      leaf("Name", bucket.name) + leaf("CreationDate", xmlTime(bucket.createdMs)) + leaf("BucketRegion", bucket.region),
    ),
  );
  return xmlDocument(
    "ListAllMyBucketsResult",
    nest("Owner", writeOwner(owner)) +
      nest("Buckets", elements.join("")) +
      leaf("Prefix", prefix) +
      leaf("ContinuationToken", continuationToken),
  );
}
