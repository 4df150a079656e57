import { S3Error } from "../s3-error.ts";

/** What x-amz-content-sha256 says of the body. */
export type PayloadMode =
  | { readonly kind: "sha256"; readonly hex: string }
  | { readonly kind: "unsigned" }
  | { readonly kind: "signed-chunks"; readonly trailer: boolean }
  | { readonly kind: "unsigned-chunks" };

/** Throws InvalidArgument for what S3 does not know. */
export function payloadMode(value: string): PayloadMode {
  switch (value) {
    case "UNSIGNED-PAYLOAD":
      return { kind: "unsigned" };
    case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD":
      return { kind: "signed-chunks", trailer: false };
    case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER":
      return { kind: "signed-chunks", trailer: true };
    case "STREAMING-UNSIGNED-PAYLOAD-TRAILER":
      return { kind: "unsigned-chunks" };
    default:
      if (/^[0-9a-f]{64}$/.test(value)) return { kind: "sha256", hex: value };
      throw new S3Error(
        "InvalidArgument",
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, or a valid sha256 value.",
        {
          ...{ ArgumentName: "x-amz-content-sha256", ArgumentValue: value.slice(0, 100) },
        },
      );
  }
}
