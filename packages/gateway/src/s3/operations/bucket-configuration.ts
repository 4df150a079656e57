import type { LifecycleRule } from "@cairn/protocol";
import type { BucketDocument } from "../bucket-documents.ts";
import { corsDocument } from "../configuration/cors.ts";
import { lifecycleRules } from "../configuration/lifecycle.ts";
import { ownershipDocument, publicAccessBlockDocument } from "../configuration/public-access.ts";
import type { BucketCall } from "../s3-call.ts";
import { S3Error, type S3ErrorCode } from "../s3-error.ts";
import { emptyReply, type S3Reply, xmlReply } from "../s3-reply.ts";
import { readCorsConfiguration, writeCorsConfiguration } from "../xml/cors-configuration.ts";
import { readLifecycleConfiguration, writeLifecycleConfiguration } from "../xml/lifecycle-configuration.ts";
import { readOwnershipControls, writeOwnershipControls } from "../xml/ownership-controls.ts";
import { readPublicAccessBlock, writePublicAccessBlock } from "../xml/public-access-block.ts";
import { configurationLimits } from "../xml/xml-parser.ts";
import { checkedDocument } from "./request-document.ts";

const smallBytesMax = 64 * 1024;

type Operation = (call: BucketCall) => Promise<S3Reply>;

interface Configuration<Value> {
  readonly document: BucketDocument<Value>;
  readonly read: (body: Uint8Array, call: BucketCall) => Value;
  readonly write: (value: Value) => string;
  readonly bytesMax: number;
  /** What GET answers when there is none. */
  readonly absent: S3ErrorCode;
}

/** GetBucketCors, PutBucketCors, DeleteBucketCors. */
export const bucketCors: Record<"get" | "put" | "remove", Operation> = operationsOn({
  document: corsDocument,
  read: readCorsConfiguration,
  write: writeCorsConfiguration,
  bytesMax: smallBytesMax,
  absent: "NoSuchCORSConfiguration",
});

/** GetBucketLifecycleConfiguration, PutBucketLifecycleConfiguration, DeleteBucketLifecycleConfiguration. */
export const bucketLifecycle: Record<"get" | "put" | "remove", Operation> = operationsOn({
  document: lifecycleRules,
  read: readLifecycleRules,
  write: writeLifecycleConfiguration,
  bytesMax: configurationLimits.bytesMax,
  absent: "NoSuchLifecycleConfiguration",
});

/** A rule without a name gets one: objects say by which they will go. */
function readLifecycleRules(body: Uint8Array, { options: { env } }: BucketCall): readonly LifecycleRule[] {
  return readLifecycleConfiguration(body).map((rule) => ({
    id: Buffer.from(env.random.bytes(18)).toString("base64url"),
    ...rule,
  }));
}

/** GetPublicAccessBlock, PutPublicAccessBlock, DeletePublicAccessBlock. */
export const publicAccessBlock: Record<"get" | "put" | "remove", Operation> = operationsOn({
  document: publicAccessBlockDocument,
  read: readPublicAccessBlock,
  write: writePublicAccessBlock,
  bytesMax: smallBytesMax,
  absent: "NoSuchPublicAccessBlockConfiguration",
});

/** GetBucketOwnershipControls, PutBucketOwnershipControls, DeleteBucketOwnershipControls. */
export const ownershipControls: Record<"get" | "put" | "remove", Operation> = operationsOn({
  document: ownershipDocument,
  read: readOwnershipControls,
  write: writeOwnershipControls,
  bytesMax: smallBytesMax,
  absent: "OwnershipControlsNotFoundError",
});

/** PutBucketEncryption: refused whatever it asks for, so that nobody believes that disks hold no plain bytes. */
export async function putBucketEncryption(): Promise<S3Reply> {
  throw new S3Error(
    "NotImplemented",
    "Objects are not encrypted at rest here. Encrypt the disks, or before you upload.",
  );
}

/** DeleteBucketEncryption: what was never there. */
export async function deleteBucketEncryption(): Promise<S3Reply> {
  return emptyReply(204);
}

/** A configuration that is kept as it comes, once it was read. */
function operationsOn<Value>(configuration: Configuration<Value>): Record<"get" | "put" | "remove", Operation> {
  const { document, read, write, bytesMax, absent } = configuration;
  return {
    get: async ({ bucket, documents }) => {
      const kept = await documents.read(bucket, document);
      if (kept === undefined) throw new S3Error(absent, undefined, { BucketName: bucket.name });
      return xmlReply(write(kept));
    },
    put: async (call) => {
      const value = read(await checkedDocument(call, bytesMax), call);
      await call.documents.keep(call.bucket, document, value);
      return emptyReply(200);
    },
    remove: async ({ bucket, documents }) => {
      await documents.keep(bucket, document, undefined);
      return emptyReply(204);
    },
  };
}
