import type { BucketPolicy } from "./bucket-policy.ts";
import { readPolicy } from "./policy-reader.ts";

const parsed = new WeakMap<object, BucketPolicy>();

/** A policy that was checked when it was put, read once. Throws MalformedPolicy: what cannot be read lets nobody in. */
export function parsedPolicy(kept: { readonly text: string }, bucket: string): BucketPolicy {
  const known = parsed.get(kept);
  if (known) return known;
  const policy = readPolicy(kept.text, bucket);
  parsed.set(kept, policy);
  return policy;
}
