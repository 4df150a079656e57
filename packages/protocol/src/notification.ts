/** The kinds of target that the S3 API knows; here each is a name for a webhook. */
export type NotificationKind = "topic" | "queue" | "function";

/** Who is told of which events of which keys. `target` is the ARN as it was sent. */
export interface NotificationRule {
  readonly kind: NotificationKind;
  readonly id?: string;
  readonly target: string;
  readonly events: readonly string[];
  readonly prefix?: string;
  readonly suffix?: string;
}

/** What happens to objects that is told, as rules name it without `s3:`. */
export const objectEvents = [
  "ObjectCreated:Put",
  "ObjectCreated:Post",
  "ObjectCreated:Copy",
  "ObjectCreated:CompleteMultipartUpload",
  "ObjectRemoved:Delete",
  "ObjectRemoved:DeleteMarkerCreated",
  "LifecycleExpiration:Delete",
  "LifecycleExpiration:DeleteMarkerCreated",
] as const;

export type ObjectEvent = (typeof objectEvents)[number];

/** The bucket document that keeps the rules, as JSON of `BucketNotification`. */
export const notificationDocument = "s3.notification";

/** `region`: what clients of the bucket call it. */
export interface BucketNotification {
  readonly region: string;
  readonly rules: readonly NotificationRule[];
}

/** Where an operator wants events to be posted. Buckets name it, and never an address. */
export interface Webhook {
  /** 1–63 small letters, digits and `-`. */
  readonly name: string;
  readonly url: string;
  readonly createdAt: number;
  /** Events that are still to be posted. */
  readonly waiting: number;
}

const targetStart = "arn:cairn:webhook:::";

/** How buckets name a webhook. */
export function targetOfWebhook(name: string): string {
  return targetStart + name;
}

/** The webhook that a target names; undefined when it names something else. */
export function webhookOfTarget(target: string): string | undefined {
  return target.startsWith(targetStart) ? target.slice(targetStart.length) : undefined;
}

/** True for an event that is told: one of them, or all of a kind (`s3:ObjectCreated:*`). */
export function isTold(named: string): boolean {
  return objectEvents.some((event) => names(named, event));
}

/** Whether a rule is for what happened to the key. */
export function isForEvent(
  { events, prefix = "", suffix = "" }: NotificationRule,
  { event, key }: { readonly event: ObjectEvent; readonly key: string },
): boolean {
  return key.startsWith(prefix) && key.endsWith(suffix) && events.some((named) => names(named, event));
}

function names(named: string, event: ObjectEvent): boolean {
  return named === `s3:${event}` || (named.endsWith(":*") && `s3:${event}`.startsWith(named.slice(0, -1)));
}
