import type { NotificationKind, NotificationRule } from "@cairn/protocol";
import { S3Error } from "../s3-error.ts";
import { type ElementReader, readDocument } from "./element-reader.ts";
import { xmlDocument } from "./xml-document.ts";
import { configurationLimits } from "./xml-parser.ts";
import { leaf, nest } from "./xml-text.ts";

/** Notifications of a bucket; `eventBridge` asks for all of them in one more place. */
export interface NotificationConfiguration {
  readonly rules: readonly NotificationRule[];
  readonly eventBridge: boolean;
}

const kinds: Readonly<Record<NotificationKind, { readonly element: string; readonly target: string }>> = {
  topic: { element: "TopicConfiguration", target: "Topic" },
  queue: { element: "QueueConfiguration", target: "Queue" },
  function: { element: "CloudFunctionConfiguration", target: "CloudFunction" },
};
const allKinds = Object.keys(kinds) as NotificationKind[];
const rulesMax = 100;
const idCharactersMax = 255;
const filterCharactersMax = 1024;

/** "Supported event types for SQS, SNS, and Lambda" of the S3 user guide. */
const events: ReadonlySet<string> = new Set([
  "s3:TestEvent",
  "s3:ObjectCreated:*",
  "s3:ObjectCreated:Put",
  "s3:ObjectCreated:Post",
  "s3:ObjectCreated:Copy",
  "s3:ObjectCreated:CompleteMultipartUpload",
  "s3:ObjectRemoved:*",
  "s3:ObjectRemoved:Delete",
  "s3:ObjectRemoved:DeleteMarkerCreated",
  "s3:ObjectRestore:*",
  "s3:ObjectRestore:Post",
  "s3:ObjectRestore:Completed",
  "s3:ObjectRestore:Delete",
  "s3:ReducedRedundancyLostObject",
  "s3:Replication:*",
  "s3:Replication:OperationFailedReplication",
  "s3:Replication:OperationMissedThreshold",
  "s3:Replication:OperationReplicatedAfterThreshold",
  "s3:Replication:OperationNotTracked",
  "s3:LifecycleExpiration:*",
  "s3:LifecycleExpiration:Delete",
  "s3:LifecycleExpiration:DeleteMarkerCreated",
  "s3:LifecycleTransition",
  "s3:IntelligentTiering",
  "s3:ObjectTagging:*",
  "s3:ObjectTagging:Put",
  "s3:ObjectTagging:Delete",
  "s3:ObjectAcl:Put",
]);

/** Reads a `NotificationConfiguration`; an empty one switches notifications off. Throws MalformedXML and InvalidArgument. */
export function readNotificationConfiguration(body: Uint8Array): NotificationConfiguration {
  return readDocument(
    body,
    "NotificationConfiguration",
    (fields) => ({
      rules: allKinds.flatMap((kind) =>
        fields.children(kinds[kind].element, (rule) => readRule(kind, rule), { max: rulesMax }),
      ),
      eventBridge: fields.childMaybe("EventBridgeConfiguration", () => true) ?? false,
    }),
    { limits: configurationLimits },
  );
}

/** A `NotificationConfiguration`. */
export function writeNotificationConfiguration({ rules, eventBridge }: NotificationConfiguration): string {
  return xmlDocument(
    "NotificationConfiguration",
    rules.map(writeRule).join("") + (eventBridge ? nest("EventBridgeConfiguration", "") : ""),
  );
}

function readRule(kind: NotificationKind, fields: ElementReader): NotificationRule {
  const id = fields.textMaybe("Id");
  if (id !== undefined && id.length > idCharactersMax) throw invalid("An Id has at most 255 characters.");
  const named = fields.texts("Event");
  if (named.length === 0) throw fields.malformed("<Event> is missing");
  if (named.some((event) => !events.has(event))) throw invalid("The event is not supported for notifications");
  const filter = fields.childMaybe("Filter", (it) => it.childMaybe("S3Key", readKeyFilter));
  return {
    kind,
    ...(id !== undefined && id !== "" && { id }),
    target: fields.text(kinds[kind].target).trim(),
    events: named,
    ...filter,
  };
}

function readKeyFilter(fields: ElementReader): { readonly prefix?: string; readonly suffix?: string } {
  const filter: { prefix?: string; suffix?: string } = {};
  const parts = fields.children("FilterRule", (it) => [it.text("Name").toLowerCase(), it.text("Value")] as const, {
    max: 2,
  });
  for (const [name, value] of parts) {
    if (name !== "prefix" && name !== "suffix") throw invalid("filter rule name must be either prefix or suffix");
    if (filter[name] !== undefined) throw invalid(`Cannot specify more than one ${name} rule in a filter.`);
    if (value.length > filterCharactersMax) throw invalid("Size of filter rule value cannot exceed 1024 bytes.");
    filter[name] = value;
  }
  return filter;
}

function writeRule(rule: NotificationRule): string {
  const { element, target } = kinds[rule.kind];
  const filterRule = (name: "prefix" | "suffix") =>
    rule[name] === undefined ? "" : nest("FilterRule", leaf("Name", name) + leaf("Value", rule[name]));
  const filter = filterRule("prefix") + filterRule("suffix");
  return nest(
    element,
    leaf("Id", rule.id) +
      leaf(target, rule.target) +
      rule.events.map((event) => leaf("Event", event)).join("") +
      (filter === "" ? "" : nest("Filter", nest("S3Key", filter))),
  );
}

function invalid(message: string): S3Error {
  return new S3Error("InvalidArgument", message);
}
