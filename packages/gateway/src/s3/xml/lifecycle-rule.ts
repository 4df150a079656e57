import type { LifecycleExpiration, LifecycleFilter, LifecycleRule, NoncurrentExpiration } from "@cairn/protocol";
import { S3Error } from "../s3-error.ts";
import type { ElementReader } from "./element-reader.ts";
import { checkTags, readTag } from "./tagging.ts";

const idCharactersMax = 255;
const newerVersionsMax = 100;
const dayMs = 86_400_000;

/** Reads one `Rule` of a lifecycle configuration; see there for what it throws. */
export function readLifecycleRule(fields: ElementReader): LifecycleRule {
  if (fields.has("Transition") || fields.has("NoncurrentVersionTransition")) {
    throw new S3Error("NotImplemented", "There is one storage class, so nothing moves to another.");
  }
  const id = fields.textMaybe("ID");
  if (id !== undefined && id.length > idCharactersMax) {
    throw new S3Error("InvalidArgument", "ID length should not exceed allowed limit of 255");
  }
  const legacyPrefix = fields.textMaybe("Prefix");
  const given = fields.childMaybe("Filter", readFilter);
  if ((legacyPrefix === undefined) === (given === undefined)) {
    throw fields.malformed("a rule has a <Filter>, or a <Prefix> in its place");
  }
  const expiration = fields.childMaybe("Expiration", readExpiration);
  const noncurrentExpiration = fields.childMaybe("NoncurrentVersionExpiration", readNoncurrent);
  const abortUploadsAfterDays = fields.childMaybe("AbortIncompleteMultipartUpload", (it) =>
    positive("DaysAfterInitiation", it.integer("DaysAfterInitiation")),
  );
  const rule: LifecycleRule = {
    ...(id !== undefined && id !== "" && { id }),
    enabled: fields.oneOf("Status", ["Enabled", "Disabled"]) === "Enabled",
    filter: given ?? { prefix: legacyPrefix ?? "", tags: [] },
    ...(legacyPrefix !== undefined && { legacyPrefix: true }),
    ...(expiration !== undefined && { expiration }),
    ...(noncurrentExpiration !== undefined && { noncurrentExpiration }),
    ...(abortUploadsAfterDays !== undefined && { abortUploadsAfterDays }),
  };
  requireSense(rule);
  return rule;
}

/** What the schema allows and S3 does not. */
function requireSense({ filter, expiration, noncurrentExpiration, abortUploadsAfterDays }: LifecycleRule): void {
  if (expiration === undefined && noncurrentExpiration === undefined && abortUploadsAfterDays === undefined) {
    throw new S3Error("InvalidRequest", "At least one action needs to be specified in a rule.");
  }
  const sized = filter.sizeGreaterThan !== undefined || filter.sizeLessThan !== undefined;
  if (filter.tags.length > 0 || sized) {
    if (abortUploadsAfterDays !== undefined) {
      throw new S3Error(
        "InvalidRequest",
        "AbortIncompleteMultipartUpload cannot be specified with Tags or object sizes.",
      );
    }
    if (filter.tags.length > 0 && expiration !== undefined && "expiredObjectDeleteMarker" in expiration) {
      throw new S3Error("InvalidRequest", "ExpiredObjectDeleteMarker cannot be specified with Tags.");
    }
  }
}

function readFilter(fields: ElementReader): LifecycleFilter {
  const and = fields.childMaybe("And", (it) => {
    const filter = readConditions(it, 1000);
    if (conditionsOf(filter) < 2) throw it.malformed("<And> joins two conditions or more");
    return filter;
  });
  const alone = readConditions(fields, 1);
  if (conditionsOf(alone) > (and === undefined ? 1 : 0)) {
    throw fields.malformed("a <Filter> has one condition, or several in an <And>");
  }
  const filter = and ?? alone;
  const { sizeGreaterThan: above = 0, sizeLessThan: below } = filter;
  if (above < 0 || (below !== undefined && below <= above)) {
    throw new S3Error("InvalidRequest", "The sizes of the filter leave no object.");
  }
  return filter;
}

function readConditions(fields: ElementReader, max: number): LifecycleFilter {
  const prefix = fields.textMaybe("Prefix");
  const sizeGreaterThan = fields.integerMaybe("ObjectSizeGreaterThan");
  const sizeLessThan = fields.integerMaybe("ObjectSizeLessThan");
  return {
    ...(prefix !== undefined && { prefix }),
    tags: checkTags(fields.children("Tag", readTag, { max }), "object"),
    ...(sizeGreaterThan !== undefined && { sizeGreaterThan }),
    ...(sizeLessThan !== undefined && { sizeLessThan }),
  };
}

function conditionsOf(filter: LifecycleFilter): number {
  const { prefix, tags, sizeGreaterThan, sizeLessThan } = filter;
  return tags.length + [prefix, sizeGreaterThan, sizeLessThan].filter((it) => it !== undefined).length;
}

function readExpiration(fields: ElementReader): LifecycleExpiration {
  const days = fields.integerMaybe("Days");
  const dateMs = fields.timeMaybe("Date");
  const expiredObjectDeleteMarker = fields.booleanMaybe("ExpiredObjectDeleteMarker");
  if ([days, dateMs, expiredObjectDeleteMarker].filter((it) => it !== undefined).length !== 1) {
    throw fields.malformed("<Expiration> has one of <Days>, <Date> and <ExpiredObjectDeleteMarker>");
  }
  if (days !== undefined) return { days: positive("Days", days) };
  if (dateMs === undefined) return { expiredObjectDeleteMarker: expiredObjectDeleteMarker === true };
  if (dateMs % dayMs !== 0) throw new S3Error("InvalidArgument", "'Date' must be at midnight GMT");
  return { dateMs };
}

function readNoncurrent(fields: ElementReader): NoncurrentExpiration {
  const days = positive("NoncurrentDays", fields.integer("NoncurrentDays"));
  const newerVersions = fields.integerMaybe("NewerNoncurrentVersions");
  if (newerVersions === undefined) return { days };
  if (newerVersions < 1 || newerVersions > newerVersionsMax) {
    throw new S3Error("InvalidArgument", `'NewerNoncurrentVersions' must be between 1 and ${newerVersionsMax}`);
  }
  return { days, newerVersions };
}

function positive(name: string, days: number): number {
  if (days >= 1 && days <= 2_147_483_647) return days;
  throw new S3Error("InvalidArgument", `'${name}' must be a positive integer`);
}
