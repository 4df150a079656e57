import type { BucketDocument } from "../bucket-documents.ts";
import { corsDocument } from "../configuration/cors.ts";
import type { BucketCall } from "../s3-call.ts";
import { S3Error, type S3ErrorCode } from "../s3-error.ts";
import { emptyReply, type S3Reply, xmlReply } from "../s3-reply.ts";
import { readCorsConfiguration, writeCorsConfiguration } from "../xml/cors-configuration.ts";
import { checkedDocument } from "./request-document.ts";

type Operation = (call: BucketCall) => Promise<S3Reply>;

interface Configuration<Value> {
  readonly document: BucketDocument<Value>;
  readonly read: (body: Uint8Array) => Value;
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
  bytesMax: 64 * 1024,
  absent: "NoSuchCORSConfiguration",
});

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
      await call.documents.keep(call.bucket, document, read(await checkedDocument(call, bytesMax)));
      return emptyReply(200);
    },
    remove: async ({ bucket, documents }) => {
      await documents.keep(bucket, document, undefined);
      return emptyReply(204);
    },
  };
}
