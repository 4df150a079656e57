/** What operations are called in policies, where it is not `s3:` and their name (S3 API reference, "Actions for Amazon S3"). */
const named: Readonly<Record<string, string>> = {
  HeadBucket: "s3:ListBucket",
  ListBuckets: "s3:ListAllMyBuckets",
  ListObjects: "s3:ListBucket",
  ListObjectsV2: "s3:ListBucket",
  ListObjectVersions: "s3:ListBucketVersions",
  ListMultipartUploads: "s3:ListBucketMultipartUploads",
  ListParts: "s3:ListMultipartUploadParts",
  HeadObject: "s3:GetObject",
  CopyObject: "s3:PutObject",
  PostObject: "s3:PutObject",
  CreateMultipartUpload: "s3:PutObject",
  UploadPart: "s3:PutObject",
  UploadPartCopy: "s3:PutObject",
  CompleteMultipartUpload: "s3:PutObject",
  DeleteBucketTagging: "s3:PutBucketTagging",
  GetBucketCors: "s3:GetBucketCORS",
  PutBucketCors: "s3:PutBucketCORS",
  DeleteBucketCors: "s3:PutBucketCORS",
  GetBucketLifecycleConfiguration: "s3:GetLifecycleConfiguration",
  PutBucketLifecycleConfiguration: "s3:PutLifecycleConfiguration",
  DeleteBucketLifecycle: "s3:PutLifecycleConfiguration",
  GetBucketEncryption: "s3:GetEncryptionConfiguration",
  PutBucketEncryption: "s3:PutEncryptionConfiguration",
  DeleteBucketEncryption: "s3:PutEncryptionConfiguration",
  GetPublicAccessBlock: "s3:GetBucketPublicAccessBlock",
  PutPublicAccessBlock: "s3:PutBucketPublicAccessBlock",
  DeletePublicAccessBlock: "s3:PutBucketPublicAccessBlock",
  DeleteBucketOwnershipControls: "s3:PutBucketOwnershipControls",
  GetBucketNotificationConfiguration: "s3:GetBucketNotification",
  PutBucketNotificationConfiguration: "s3:PutBucketNotification",
  GetObjectLockConfiguration: "s3:GetBucketObjectLockConfiguration",
  PutObjectLockConfiguration: "s3:PutBucketObjectLockConfiguration",
};

/** What acts on an object; all else acts on a bucket. */
const objectActions = [
  ...["GetObject", "GetObjectVersion", "PutObject", "DeleteObject", "DeleteObjectVersion"],
  ...["GetObjectAttributes", "GetObjectVersionAttributes", "AbortMultipartUpload", "ListMultipartUploadParts"],
  ...["GetObjectTagging", "PutObjectTagging", "DeleteObjectTagging", "GetObjectVersionTagging"],
  ...["PutObjectVersionTagging", "DeleteObjectVersionTagging", "GetObjectAcl", "PutObjectAcl", "GetObjectVersionAcl"],
  ...["PutObjectVersionAcl", "GetObjectRetention", "PutObjectRetention", "BypassGovernanceRetention"],
  ...["GetObjectLegalHold", "PutObjectLegalHold"],
].map((name) => `s3:${name}`);

const bucketActions = [
  ...["CreateBucket", "DeleteBucket", "ListBucket", "ListBucketVersions", "ListBucketMultipartUploads"],
  ...["GetBucketLocation", "GetBucketVersioning", "PutBucketVersioning", "GetBucketTagging", "PutBucketTagging"],
  ...["GetBucketAcl", "PutBucketAcl", "GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"],
  ...["GetBucketPolicyStatus", "GetBucketCORS", "PutBucketCORS", "GetLifecycleConfiguration"],
  ...["PutLifecycleConfiguration", "GetEncryptionConfiguration", "PutEncryptionConfiguration"],
  ...["GetBucketPublicAccessBlock", "PutBucketPublicAccessBlock", "GetBucketOwnershipControls"],
  ...["PutBucketOwnershipControls", "GetBucketNotification", "PutBucketNotification"],
  ...["GetBucketObjectLockConfiguration", "PutBucketObjectLockConfiguration"],
].map((name) => `s3:${name}`);

/** Every action that a policy may name, by what it acts on. */
export const policyActions: Readonly<Record<"object" | "bucket", readonly string[]>> = {
  object: objectActions,
  bucket: bucketActions,
};

const withVersions: Readonly<Record<string, string>> = {
  "s3:GetObject": "s3:GetObjectVersion",
  "s3:DeleteObject": "s3:DeleteObjectVersion",
  "s3:GetObjectAttributes": "s3:GetObjectVersionAttributes",
  "s3:GetObjectTagging": "s3:GetObjectVersionTagging",
  "s3:PutObjectTagging": "s3:PutObjectVersionTagging",
  "s3:DeleteObjectTagging": "s3:DeleteObjectVersionTagging",
  "s3:GetObjectAcl": "s3:GetObjectVersionAcl",
  "s3:PutObjectAcl": "s3:PutObjectVersionAcl",
};

/** What a write may do beside writing. */
const headerActions: Readonly<Record<string, string>> = {
  "x-amz-acl": "s3:PutObjectAcl",
  "x-amz-tagging": "s3:PutObjectTagging",
  "x-amz-object-lock-mode": "s3:PutObjectRetention",
  "x-amz-object-lock-retain-until-date": "s3:PutObjectRetention",
  "x-amz-object-lock-legal-hold": "s3:PutObjectLegalHold",
  "x-amz-bypass-governance-retention": "s3:BypassGovernanceRetention",
};

/** What the headers of a request ask for, each an action of its own. */
export function actionsOfHeaders(headers: Readonly<Record<string, string | undefined>>): readonly string[] {
  const asked: string[] = [];
  for (const name in headers) {
    const action = name.startsWith("x-amz-") ? headerActions[name] : undefined;
    if (action !== undefined && headers[name] !== "private") asked.push(action);
  }
  return asked;
}

/** What a policy calls an operation; `version`: one on a version that the request names. Undefined: it asks for each key by itself. */
export function actionOf(
  operation: string,
  { version = false }: { readonly version?: boolean } = {},
): string | undefined {
  if (operation === "DeleteObjects") return undefined;
  const action = named[operation] ?? `s3:${operation}`;
  return version ? (withVersions[action] ?? action) : action;
}
