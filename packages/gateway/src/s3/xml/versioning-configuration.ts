import { S3Error } from "../s3-error.ts";
import { readDocument } from "./element-reader.ts";
import { xmlDocument } from "./xml-document.ts";
import { smallDocumentLimits } from "./xml-parser.ts";
import { leaf } from "./xml-text.ts";

/** What a bucket does with versions. */
export type VersioningStatus = "Enabled" | "Suspended";

/** Reads a `VersioningConfiguration`. Throws MalformedXML, and NotImplemented where deleting were to need a second factor. */
export function readVersioningConfiguration(body: Uint8Array): VersioningStatus {
  return readDocument(
    body,
    "VersioningConfiguration",
    (fields) => {
      if (fields.oneOfMaybe("MfaDelete", ["Enabled", "Disabled"]) === "Enabled") {
        throw new S3Error("NotImplemented", "This server has no second factor for deleting.");
      }
      return fields.oneOf<VersioningStatus>("Status", ["Enabled", "Suspended"]);
    },
    { limits: smallDocumentLimits },
  );
}

/** A `VersioningConfiguration`; `undefined` is a bucket that never had versions switched on. */
export function writeVersioningConfiguration(status: VersioningStatus | undefined): string {
  return xmlDocument("VersioningConfiguration", leaf("Status", status));
}
