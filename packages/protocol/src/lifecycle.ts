/** Which objects a rule is for: all of what is given must hold, and nothing given means every object. */
export interface LifecycleFilter {
  readonly prefix?: string;
  readonly tags: readonly { readonly key: string; readonly value: string }[];
  /** Bytes; only larger objects. */
  readonly sizeGreaterThan?: number;
  /** Bytes; only smaller objects. */
  readonly sizeLessThan?: number;
}

/** When current versions go: so many days after they were written, on a day (midnight, epoch milliseconds), or markers that mark nothing. */
export type LifecycleExpiration =
  | { readonly days: number }
  | { readonly dateMs: number }
  | { readonly expiredObjectDeleteMarker: boolean };

/** When versions go that are current no more. `newerVersions`: so many of them stay whatever their age. */
export interface NoncurrentExpiration {
  readonly days: number;
  readonly newerVersions?: number;
}

/** A rule of a bucket. `legacyPrefix`: it came as `Prefix` outside a `Filter`, and is answered so. */
export interface LifecycleRule {
  readonly id?: string;
  readonly enabled: boolean;
  readonly filter: LifecycleFilter;
  readonly legacyPrefix?: boolean;
  readonly expiration?: LifecycleExpiration;
  readonly noncurrentExpiration?: NoncurrentExpiration;
  readonly abortUploadsAfterDays?: number;
}

/** The bucket document that keeps the rules, as JSON of `LifecycleRule[]`. */
export const lifecycleDocument = "s3.lifecycle";

/** A version of an object as rules look at it. `createdAt`: when it was written, epoch milliseconds. */
export interface LifecycleObject {
  readonly key: string;
  readonly size: number;
  readonly tags: Readonly<Record<string, string>> | undefined;
  readonly createdAt: number;
}

/** Whether a rule is for the object. */
export function isFor({ filter }: LifecycleRule, { key, size, tags }: Omit<LifecycleObject, "createdAt">): boolean {
  const { prefix = "", sizeGreaterThan = -1, sizeLessThan = Number.POSITIVE_INFINITY } = filter;
  return (
    key.startsWith(prefix) &&
    size > sizeGreaterThan &&
    size < sizeLessThan &&
    filter.tags.every((tag) => tags !== undefined && Object.hasOwn(tags, tag.key) && tags[tag.key] === tag.value)
  );
}

/** The first midnight that is not before so many days after an instant; all in epoch milliseconds. */
export function daysAfter(from: number, days: number, dayMs: number): number {
  return Math.ceil((from + days * dayMs) / dayMs) * dayMs;
}

/** When the object expires first while it is current, and by which rule; undefined: by none. */
export function expirationOf(
  rules: readonly LifecycleRule[],
  object: LifecycleObject,
  dayMs: number,
): { readonly at: number; readonly rule: LifecycleRule } | undefined {
  let first: { at: number; rule: LifecycleRule } | undefined;
  for (const rule of rules) {
    const at = rule.enabled ? expiryAt(rule, object.createdAt, dayMs) : undefined;
    if (at !== undefined && (first === undefined || at < first.at) && isFor(rule, object)) first = { at, rule };
  }
  return first;
}

function expiryAt({ expiration }: LifecycleRule, createdAt: number, dayMs: number): number | undefined {
  if (expiration === undefined) return undefined;
  if ("days" in expiration) return daysAfter(createdAt, expiration.days, dayMs);
  return "dateMs" in expiration ? expiration.dateMs : undefined;
}

/** Whether a version goes that is current no more: `since` then, and `newer` others that are not current either are newer. */
export function isNoncurrentExpired(
  rules: readonly LifecycleRule[],
  version: LifecycleObject & { readonly since: number; readonly newer: number },
  { now, dayMs }: { readonly now: number; readonly dayMs: number },
): boolean {
  return rules.some((rule) => {
    if (!rule.enabled || rule.noncurrentExpiration === undefined) return false;
    const { days, newerVersions = 0 } = rule.noncurrentExpiration;
    return version.newer >= newerVersions && daysAfter(version.since, days, dayMs) <= now && isFor(rule, version);
  });
}

/** When an upload that was begun then is given up; undefined: never. */
export function uploadExpiryOf(
  rules: readonly LifecycleRule[],
  { key, createdAt }: Pick<LifecycleObject, "key" | "createdAt">,
  dayMs: number,
): number | undefined {
  const days = rules.flatMap(({ enabled, filter, abortUploadsAfterDays }) =>
    enabled && abortUploadsAfterDays !== undefined && key.startsWith(filter.prefix ?? "")
      ? [abortUploadsAfterDays]
      : [],
  );
  return days.length === 0 ? undefined : daysAfter(createdAt, Math.min(...days), dayMs);
}
