import { getBucketAcl, getObjectAcl, putBucketAcl, putObjectAcl } from "./operations/access-control-lists.ts";
import {
  createBucket,
  deleteBucket,
  getBucketLocation,
  getBucketVersioning,
  headBucket,
  listBuckets,
  putBucketVersioning,
} from "./operations/account-operations.ts";
import {
  bucketCors,
  bucketLifecycle,
  deleteBucketEncryption,
  ownershipControls,
  publicAccessBlock,
  putBucketEncryption,
} from "./operations/bucket-configuration.ts";
import { getBucketNotification, putBucketNotification } from "./operations/bucket-notification.ts";
import {
  deleteBucketPolicy,
  getBucketPolicy,
  getBucketPolicyStatus,
  putBucketPolicy,
} from "./operations/bucket-policy.ts";
import { copyObject } from "./operations/copy-object.ts";
import { deleteObject, deleteObjects } from "./operations/delete-objects.ts";
import { getObject } from "./operations/get-object.ts";
import { listObjectsV1, listObjectsV2 } from "./operations/list-objects.ts";
import { listObjectVersions } from "./operations/list-versions.ts";
import {
  abortUpload,
  completeUpload,
  copyPart,
  createUpload,
  listParts,
  listUploads,
  uploadPart,
} from "./operations/multipart.ts";
import {
  absent,
  deleteBucketTagging,
  deleteObjectTagging,
  getBucketTagging,
  getObjectAttributes,
  getObjectTagging,
  putBucketTagging,
  putObjectTagging,
} from "./operations/object-facts.ts";
import {
  getObjectLegalHold,
  getObjectLockConfiguration,
  getObjectRetention,
  putObjectLegalHold,
  putObjectLockConfiguration,
  putObjectRetention,
} from "./operations/object-lock.ts";
import { postObject } from "./operations/post-object.ts";
import { putObject } from "./operations/put-object.ts";
import type { S3Right } from "./s3-access.ts";
import type { FormAdmission } from "./s3-authentication.ts";
import type { BucketCall, ObjectCall, S3Call } from "./s3-call.ts";
import type { S3Reply } from "./s3-reply.ts";
import type { S3Request } from "./s3-request.ts";

/** An operation of the S3 API that is there. `needs`: what it takes to be there besides the right. */
export type S3Route = { readonly name: string; readonly right: S3Right } & (
  | { readonly needs: "account"; readonly run: (call: S3Call) => Promise<S3Reply> }
  | { readonly needs: "name"; readonly run: (call: S3Call, name: string) => Promise<S3Reply> }
  | { readonly needs: "bucket"; readonly run: (call: BucketCall) => Promise<S3Reply> }
  | { readonly needs: "form"; readonly run: (call: S3Call, admit: FormAdmission) => Promise<S3Reply> }
  | { readonly needs: "object"; readonly run: (call: ObjectCall) => Promise<S3Reply> }
);

const bucketRoute = (name: string, right: S3Right, run: (call: BucketCall) => Promise<S3Reply>): S3Route => ({
  ...{ name, right, needs: "bucket", run },
});
const objectRoute = (name: string, right: S3Right, run: (call: ObjectCall) => Promise<S3Reply>): S3Route => ({
  ...{ name, right, needs: "object", run },
});

/** By method and the query parameter that names a part of the resource; none: the resource itself. */
type Routes = Readonly<Record<string, S3Route>>;

const accountRoutes: Routes = {
  GET: { name: "ListBuckets", right: "read", needs: "account", run: listBuckets },
};

const bucketRoutes: Routes = {
  PUT: { name: "CreateBucket", right: "write", needs: "name", run: createBucket },
  HEAD: bucketRoute("HeadBucket", "read", headBucket),
  DELETE: bucketRoute("DeleteBucket", "write", deleteBucket),
  GET: bucketRoute("ListObjects", "read", listObjectsV1),
  "GET list-type": bucketRoute("ListObjectsV2", "read", listObjectsV2),
  "GET versions": bucketRoute("ListObjectVersions", "read", listObjectVersions),
  "GET location": bucketRoute("GetBucketLocation", "read", getBucketLocation),
  "GET versioning": bucketRoute("GetBucketVersioning", "read", getBucketVersioning),
  "PUT versioning": bucketRoute("PutBucketVersioning", "write", putBucketVersioning),
  "GET uploads": bucketRoute("ListMultipartUploads", "read", listUploads),
  POST: { name: "PostObject", right: "write", needs: "form", run: postObject },
  "POST delete": bucketRoute("DeleteObjects", "write", deleteObjects),
  "GET tagging": bucketRoute("GetBucketTagging", "read", getBucketTagging),
  "PUT tagging": bucketRoute("PutBucketTagging", "write", putBucketTagging),
  "DELETE tagging": bucketRoute("DeleteBucketTagging", "write", deleteBucketTagging),
  "GET acl": bucketRoute("GetBucketAcl", "read", getBucketAcl),
  "PUT acl": bucketRoute("PutBucketAcl", "write", putBucketAcl),
  "GET policy": bucketRoute("GetBucketPolicy", "read", getBucketPolicy),
  "PUT policy": bucketRoute("PutBucketPolicy", "write", putBucketPolicy),
  "DELETE policy": bucketRoute("DeleteBucketPolicy", "write", deleteBucketPolicy),
  "GET policyStatus": bucketRoute("GetBucketPolicyStatus", "read", getBucketPolicyStatus),
  "GET cors": bucketRoute("GetBucketCors", "read", bucketCors.get),
  "PUT cors": bucketRoute("PutBucketCors", "write", bucketCors.put),
  "DELETE cors": bucketRoute("DeleteBucketCors", "write", bucketCors.remove),
  "GET lifecycle": bucketRoute("GetBucketLifecycleConfiguration", "read", bucketLifecycle.get),
  "PUT lifecycle": bucketRoute("PutBucketLifecycleConfiguration", "write", bucketLifecycle.put),
  "DELETE lifecycle": bucketRoute("DeleteBucketLifecycle", "write", bucketLifecycle.remove),
  "GET object-lock": bucketRoute("GetObjectLockConfiguration", "read", getObjectLockConfiguration),
  "PUT object-lock": bucketRoute("PutObjectLockConfiguration", "write", putObjectLockConfiguration),
  "GET encryption": bucketRoute(
    "GetBucketEncryption",
    "read",
    absent("ServerSideEncryptionConfigurationNotFoundError"),
  ),
  "PUT encryption": bucketRoute("PutBucketEncryption", "write", putBucketEncryption),
  "DELETE encryption": bucketRoute("DeleteBucketEncryption", "write", deleteBucketEncryption),
  "GET publicAccessBlock": bucketRoute("GetPublicAccessBlock", "read", publicAccessBlock.get),
  "PUT publicAccessBlock": bucketRoute("PutPublicAccessBlock", "write", publicAccessBlock.put),
  "DELETE publicAccessBlock": bucketRoute("DeletePublicAccessBlock", "write", publicAccessBlock.remove),
  "GET ownershipControls": bucketRoute("GetBucketOwnershipControls", "read", ownershipControls.get),
  "PUT ownershipControls": bucketRoute("PutBucketOwnershipControls", "write", ownershipControls.put),
  "DELETE ownershipControls": bucketRoute("DeleteBucketOwnershipControls", "write", ownershipControls.remove),
  "GET notification": bucketRoute("GetBucketNotificationConfiguration", "read", getBucketNotification),
  "PUT notification": bucketRoute("PutBucketNotificationConfiguration", "write", putBucketNotification),
};

const objectRoutes: Routes = {
  GET: objectRoute("GetObject", "read", getObject),
  HEAD: objectRoute("HeadObject", "read", getObject),
  PUT: objectRoute("PutObject", "write", putObject),
  "PUT copy": objectRoute("CopyObject", "write", copyObject),
  DELETE: objectRoute("DeleteObject", "write", deleteObject),
  "GET attributes": objectRoute("GetObjectAttributes", "read", getObjectAttributes),
  "GET tagging": objectRoute("GetObjectTagging", "read", getObjectTagging),
  "PUT tagging": objectRoute("PutObjectTagging", "write", putObjectTagging),
  "DELETE tagging": objectRoute("DeleteObjectTagging", "write", deleteObjectTagging),
  "GET acl": objectRoute("GetObjectAcl", "read", getObjectAcl),
  "PUT acl": objectRoute("PutObjectAcl", "write", putObjectAcl),
  "GET retention": objectRoute("GetObjectRetention", "read", getObjectRetention),
  "PUT retention": objectRoute("PutObjectRetention", "write", putObjectRetention),
  "GET legal-hold": objectRoute("GetObjectLegalHold", "read", getObjectLegalHold),
  "PUT legal-hold": objectRoute("PutObjectLegalHold", "write", putObjectLegalHold),
  "POST uploads": objectRoute("CreateMultipartUpload", "write", createUpload),
  "PUT uploadId": objectRoute("UploadPart", "write", uploadPart),
  "PUT uploadId copy": objectRoute("UploadPartCopy", "write", copyPart),
  "POST uploadId": objectRoute("CompleteMultipartUpload", "write", completeUpload),
  "DELETE uploadId": objectRoute("AbortMultipartUpload", "write", abortUpload),
  "GET uploadId": objectRoute("ListParts", "read", listParts),
};

/** Query parameters that name a part of a resource (S3 API reference); the first that is there decides. */
const subresources = [
  ...[
    "accelerate",
    "acl",
    "analytics",
    "attributes",
    "cors",
    "delete",
    "encryption",
    "intelligent-tiering",
    "inventory",
  ],
  ...["legal-hold", "lifecycle", "location", "logging", "metadataTable", "metrics", "notification", "object-lock"],
  ...["ownershipControls", "policy", "policyStatus", "publicAccessBlock", "replication", "requestPayment", "restore"],
  ...[
    "retention",
    "select",
    "session",
    "tagging",
    "torrent",
    "uploads",
    "versioning",
    "versions",
    "website",
    "uploadId",
  ],
  "list-type",
];

/** All operations that are there, for documents and tests. */
export const s3Routes: Readonly<Record<"account" | "bucket" | "object", Routes>> = {
  account: accountRoutes,
  bucket: bucketRoutes,
  object: objectRoutes,
};

/** The operation that a request asks for; undefined when it is not there. */
export function routeOf({ method, bucket, key, query, headers }: S3Request): S3Route | undefined {
  const part = subresources.find((name) => query.has(name));
  const copies = headers["x-amz-copy-source"] !== undefined && method === "PUT" && key !== undefined;
  const wanted = [method, part, copies && (part === undefined || part === "uploadId") ? "copy" : undefined];
  const route = wanted.filter((word) => word !== undefined).join(" ");
  const level = bucket === undefined ? accountRoutes : key === undefined ? bucketRoutes : objectRoutes;
  return Object.hasOwn(level, route) ? level[route] : undefined;
}
