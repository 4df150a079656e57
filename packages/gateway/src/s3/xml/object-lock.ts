import type { DefaultRetention, ObjectLockConfiguration, Retention, RetentionMode } from "@cairn/protocol";
import { S3Error } from "../s3-error.ts";
import { type ElementReader, readDocument } from "./element-reader.ts";
import { xmlDocument } from "./xml-document.ts";
import { smallDocumentLimits } from "./xml-parser.ts";
import { leaf, nest, xmlTime } from "./xml-text.ts";

const modes: readonly RetentionMode[] = ["GOVERNANCE", "COMPLIANCE"];
const retentionDaysMax = 36_500;
const retentionYearsMax = 100;

/** Reads an `ObjectLockConfiguration`. Throws MalformedXML, and InvalidArgument for a period out of range. */
export function readObjectLockConfiguration(body: Uint8Array): ObjectLockConfiguration {
  return readDocument(
    body,
    "ObjectLockConfiguration",
    (fields) => {
      fields.oneOf("ObjectLockEnabled", ["Enabled"]);
      const defaultRetention = fields.childMaybe("Rule", (rule) =>
        rule.child("DefaultRetention", readDefaultRetention),
      );
      return { ...(defaultRetention !== undefined && { defaultRetention }) };
    },
    { limits: smallDocumentLimits },
  );
}

/** An `ObjectLockConfiguration`. */
export function writeObjectLockConfiguration({ defaultRetention }: ObjectLockConfiguration): string {
  const rule = defaultRetention === undefined ? "" : nest("Rule", writeDefaultRetention(defaultRetention));
  return xmlDocument("ObjectLockConfiguration", leaf("ObjectLockEnabled", "Enabled") + rule);
}

/** Reads a `Retention`; an empty one lifts what there is. Throws MalformedXML. Whether the time is to come is the caller's to check. */
export function readRetention(body: Uint8Array): Retention | undefined {
  return readDocument(
    body,
    "Retention",
    (fields) => {
      const mode = fields.oneOfMaybe("Mode", modes);
      const retainUntilMs = fields.timeMaybe("RetainUntilDate");
      if (mode === undefined && retainUntilMs === undefined) return undefined;
      if (mode === undefined || retainUntilMs === undefined) {
        throw fields.malformed("<Mode> and <RetainUntilDate> go together");
      }
      return { mode, retainUntilMs };
    },
    { limits: smallDocumentLimits },
  );
}

/** A `Retention`. */
export function writeRetention({ mode, retainUntilMs }: Retention): string {
  return xmlDocument("Retention", leaf("Mode", mode) + leaf("RetainUntilDate", xmlTime(retainUntilMs)));
}

/** Reads a `LegalHold`: true for ON. Throws MalformedXML. */
export function readLegalHold(body: Uint8Array): boolean {
  return readDocument(body, "LegalHold", (fields) => fields.oneOf("Status", ["ON", "OFF"]) === "ON", {
    limits: smallDocumentLimits,
  });
}

/** A `LegalHold`. */
export function writeLegalHold(on: boolean): string {
  return xmlDocument("LegalHold", leaf("Status", on ? "ON" : "OFF"));
}

function readDefaultRetention(fields: ElementReader): DefaultRetention {
  const mode = fields.oneOf("Mode", modes);
  const days = fields.integerMaybe("Days");
  const years = fields.integerMaybe("Years");
  if (days !== undefined && years === undefined) return { mode, period: { days: within(days, retentionDaysMax) } };
  if (years !== undefined && days === undefined) return { mode, period: { years: within(years, retentionYearsMax) } };
  throw fields.malformed("a retention has either <Days> or <Years>");
}

function writeDefaultRetention({ mode, period }: DefaultRetention): string {
  const length = "days" in period ? leaf("Days", period.days) : leaf("Years", period.years);
  return nest("DefaultRetention", leaf("Mode", mode) + length);
}

function within(value: number, max: number): number {
  if (value >= 1 && value <= max) return value;
  throw new S3Error("InvalidArgument", `The default retention period must be between 1 and ${max}.`);
}
