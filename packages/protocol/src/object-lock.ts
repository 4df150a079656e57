/** Whether a retention can be lifted: governance by those with the right to, compliance by nobody. */
export type RetentionMode = "GOVERNANCE" | "COMPLIANCE";

/** Until when a version is kept, in epoch milliseconds. */
export interface Retention {
  readonly mode: RetentionMode;
  readonly retainUntilMs: number;
}

/** How long new versions of a drive are kept when their request does not say. */
export interface DefaultRetention {
  readonly mode: RetentionMode;
  readonly period: { readonly days: number } | { readonly years: number };
}

/** Object lock of a drive. */
export interface ObjectLockConfiguration {
  readonly defaultRetention?: DefaultRetention | undefined;
}

/** What keeps a version from being removed for good. */
export interface VersionLock {
  readonly retention?: Retention | undefined;
  readonly legalHold?: boolean | undefined;
}

/** A change of a version's lock; what is absent stays. `retention` null: none any more. */
export interface LockChange {
  readonly retention?: Retention | null | undefined;
  readonly legalHold?: boolean | undefined;
  /** By somebody who may lift what governance keeps. */
  readonly bypassGovernance: boolean;
}

/** The bucket document with the drive's ObjectLockConfiguration as JSON; once it is there, it stays. */
export const objectLockDocument = "s3.object-lock";

const dayMs = 86_400_000;

/** Whether a version may not be removed for good now. */
export function isLocked(
  lock: VersionLock | undefined,
  { now, bypassGovernance }: { readonly now: number; readonly bypassGovernance: boolean },
): boolean {
  return lock?.legalHold === true || isRetained(lock?.retention, { now, bypassGovernance });
}

/** Whether a retention may be changed: longer by everybody, shorter and weaker only where it does not hold. */
export function mayChangeRetention(
  before: Retention | undefined,
  after: Retention | null,
  caller: { readonly now: number; readonly bypassGovernance: boolean },
): boolean {
  if (!before || !isRetained(before, caller)) return true;
  if (!after || after.retainUntilMs < before.retainUntilMs) return false;
  return before.mode === "GOVERNANCE" || after.mode === "COMPLIANCE";
}

/** The retention of a version that comes now. */
export function retentionOfNew(configuration: ObjectLockConfiguration | undefined, now: number): Retention | undefined {
  const kept = configuration?.defaultRetention;
  if (!kept) return undefined;
  const { mode, period } = kept;
  if ("days" in period) return { mode, retainUntilMs: now + period.days * dayMs };
  const until = new Date(now);
  until.setUTCFullYear(until.getUTCFullYear() + period.years);
  return { mode, retainUntilMs: until.getTime() };
}

function isRetained(
  retention: Retention | undefined,
  { now, bypassGovernance }: { readonly now: number; readonly bypassGovernance: boolean },
): boolean {
  if (!retention || retention.retainUntilMs <= now) return false;
  return retention.mode === "COMPLIANCE" || !bypassGovernance;
}
