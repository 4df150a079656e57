import type { ObjectChange } from "./object-events.ts";

/** What an event has besides the object. */
export interface EventPlace {
  /** Higher than that of every event before. */
  readonly sequence: number;
  /** Wall clock ms. */
  readonly at: number;
  readonly region: string;
  readonly bucket: string;
  /** The id of the rule that asks for it. */
  readonly rule?: string;
}

/**
 * One record of an S3 event message, as JSON ("Event message structure" of the S3 user guide). Who asked for the change is
 * not kept, so those members are empty.
 */
export function eventRecord(change: ObjectChange, { sequence, at, region, bucket, rule }: EventPlace): string {
  const principalId = "cairn";
  return JSON.stringify({
    eventVersion: "2.1",
    eventSource: "aws:s3",
    awsRegion: region,
    eventTime: new Date(at).toISOString(),
    eventName: change.event,
    userIdentity: { principalId },
    requestParameters: { sourceIPAddress: "" },
    responseElements: { "x-amz-request-id": "", "x-amz-id-2": "" },
    s3: {
      s3SchemaVersion: "1.0",
      configurationId: rule ?? "",
      bucket: { name: bucket, ownerIdentity: { principalId }, arn: `arn:aws:s3:::${bucket}` },
      object: {
        key: formEncoded(change.key),
        size: change.size,
        eTag: change.etag,
        versionId: change.version,
        sequencer: sequence.toString(16).toUpperCase().padStart(16, "0"),
      },
    },
  });
}

/** As forms spell it, which is how S3 spells keys in events. */
function formEncoded(key: string): string {
  return encodeURIComponent(key)
    .replace(/[!'()*~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%2F", "/")
    .replaceAll("%20", "+");
}
