import type { LifecycleExpiration, LifecycleFilter, LifecycleRule } from "@cairn/protocol";
import { S3Error } from "../s3-error.ts";
import { readDocument } from "./element-reader.ts";
import { readLifecycleRule } from "./lifecycle-rule.ts";
import { writeTag } from "./tagging.ts";
import { xmlDocument } from "./xml-document.ts";
import { configurationLimits } from "./xml-parser.ts";
import { leaf, nest, xmlTime } from "./xml-text.ts";

const rulesMax = 1000;

/**
 * Reads a `LifecycleConfiguration`. Throws MalformedXML; InvalidArgument and InvalidRequest for rules that S3 does not
 * take; InvalidTag; NotImplemented for transitions to other storage classes.
 */
export function readLifecycleConfiguration(body: Uint8Array): readonly LifecycleRule[] {
  const rules = readDocument(
    body,
    "LifecycleConfiguration",
    (fields) => fields.children("Rule", readLifecycleRule, { min: 1, max: rulesMax }),
    { limits: configurationLimits },
  );
  const ids = rules.flatMap(({ id }) => id ?? []);
  if (new Set(ids).size < ids.length) throw new S3Error("InvalidArgument", "Rule ID must be unique.");
  return rules;
}

/** A `LifecycleConfiguration`. */
export function writeLifecycleConfiguration(rules: readonly LifecycleRule[]): string {
  return xmlDocument("LifecycleConfiguration", rules.map(writeRule).join(""));
}

function writeRule(rule: LifecycleRule): string {
  const { noncurrentExpiration: noncurrent, abortUploadsAfterDays } = rule;
  return nest(
    "Rule",
    leaf("ID", rule.id) +
      (rule.legacyPrefix === true
        ? leaf("Prefix", rule.filter.prefix ?? "")
        : nest("Filter", writeFilter(rule.filter))) +
      leaf("Status", rule.enabled ? "Enabled" : "Disabled") +
      (rule.expiration === undefined ? "" : nest("Expiration", writeExpiration(rule.expiration))) +
      (noncurrent === undefined
        ? ""
        : nest(
            "NoncurrentVersionExpiration",
            leaf("NoncurrentDays", noncurrent.days) + leaf("NewerNoncurrentVersions", noncurrent.newerVersions),
          )) +
      (abortUploadsAfterDays === undefined
        ? ""
        : nest("AbortIncompleteMultipartUpload", leaf("DaysAfterInitiation", abortUploadsAfterDays))),
  );
}

/** One condition stands alone, several in an `And`. */
function writeFilter(filter: LifecycleFilter): string {
  const conditions = [
    leaf("Prefix", filter.prefix),
    ...filter.tags.map(writeTag),
    leaf("ObjectSizeGreaterThan", filter.sizeGreaterThan),
    leaf("ObjectSizeLessThan", filter.sizeLessThan),
  ].filter((condition) => condition !== "");
  return conditions.length > 1 ? nest("And", conditions.join("")) : conditions.join("");
}

function writeExpiration(expiration: LifecycleExpiration): string {
  if ("days" in expiration) return leaf("Days", expiration.days);
  if ("dateMs" in expiration) return leaf("Date", xmlTime(expiration.dateMs));
  return leaf("ExpiredObjectDeleteMarker", expiration.expiredObjectDeleteMarker);
}
