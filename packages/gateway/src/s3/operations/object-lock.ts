import type { OpenFile } from "@cairn/drive";
import {
  isKind,
  type LockChange,
  type ObjectAttributes,
  type ObjectLockConfiguration,
  objectLockDocument,
  type Retention,
  type RetentionMode,
  type VersionLock,
} from "@cairn/protocol";
import type { BucketDocument } from "../bucket-documents.ts";
import { requireChecksum } from "../checksum/checksum-request.ts";
import { type BucketCall, header, type ObjectCall, type S3Call } from "../s3-call.ts";
import { S3Error } from "../s3-error.ts";
import { emptyReply, type S3Reply, xmlReply } from "../s3-reply.ts";
import {
  readLegalHold,
  readObjectLockConfiguration,
  readRetention,
  writeLegalHold,
  writeObjectLockConfiguration,
  writeRetention,
} from "../xml/object-lock.ts";
import { xmlTime } from "../xml/xml-text.ts";
import { openVersion, versionHeader, versionOfQuery } from "./object-version.ts";
import { checkedDocument } from "./request-document.ts";

/** Object lock of a bucket; once there, it stays. */
export const lockDocument: BucketDocument<ObjectLockConfiguration> = { name: objectLockDocument };

const documentBytesMax = 64 * 1024;
const modeHeader = "x-amz-object-lock-mode";
const untilHeader = "x-amz-object-lock-retain-until-date";
const holdHeader = "x-amz-object-lock-legal-hold";

/** GetObjectLockConfiguration. */
export async function getObjectLockConfiguration({ bucket, documents }: BucketCall): Promise<S3Reply> {
  const kept = await documents.read(bucket, lockDocument);
  if (!kept) throw new S3Error("ObjectLockConfigurationNotFoundError", undefined, { BucketName: bucket.name });
  return xmlReply(writeObjectLockConfiguration(kept));
}

/** PutObjectLockConfiguration: of a bucket with versioning. */
export async function putObjectLockConfiguration(call: BucketCall): Promise<S3Reply> {
  requireChecksum(call.request.headers);
  const wanted = readObjectLockConfiguration(await checkedDocument(call, documentBytesMax));
  try {
    await call.documents.keep(call.bucket, lockDocument, wanted);
  } catch (error) {
    if (!isKind(error, "conflict")) throw error;
    throw new S3Error("InvalidBucketState", "Versioning must be 'Enabled' on the bucket to apply an object lock.");
  }
  return emptyReply(200);
}

/** GetObjectRetention. */
export async function getObjectRetention(call: ObjectCall): Promise<S3Reply> {
  const { file, lock } = await lockedFile(call);
  if (!lock?.retention) throw new S3Error("NoSuchObjectLockConfiguration");
  return xmlReply(writeRetention(lock.retention), versionHeader(call.bucket, file.entry.version, file.unversioned));
}

/** PutObjectRetention; what governance keeps is shortened with x-amz-bypass-governance-retention only. */
export async function putObjectRetention(call: ObjectCall): Promise<S3Reply> {
  requireChecksum(call.request.headers);
  const retention = readRetention(await checkedDocument(call, documentBytesMax));
  if (retention) requireFuture(call, retention.retainUntilMs);
  return await change(call, { retention: retention ?? null });
}

/** GetObjectLegalHold. */
export async function getObjectLegalHold(call: ObjectCall): Promise<S3Reply> {
  const { file, lock } = await lockedFile(call);
  if (lock?.legalHold === undefined) throw new S3Error("NoSuchObjectLockConfiguration");
  return xmlReply(writeLegalHold(lock.legalHold), versionHeader(call.bucket, file.entry.version, file.unversioned));
}

/** PutObjectLegalHold. */
export async function putObjectLegalHold(call: ObjectCall): Promise<S3Reply> {
  requireChecksum(call.request.headers);
  return await change(call, { legalHold: readLegalHold(await checkedDocument(call, documentBytesMax)) });
}

/** True when the sender lifts what governance keeps; whether it may is asked with its policy. */
export function asksBypass({ request }: Pick<S3Call, "request">): boolean {
  return request.headers["x-amz-bypass-governance-retention"]?.toLowerCase() === "true";
}

/** What the headers of a write say of its lock. Throws InvalidRequest in a bucket without object lock, InvalidArgument. */
export async function lockOfNewObject(call: ObjectCall): Promise<{ readonly lock?: VersionLock }> {
  const mode = header(call, modeHeader);
  const until = header(call, untilHeader);
  const hold = header(call, holdHeader);
  if (mode === undefined && until === undefined && hold === undefined) return {};
  await requireLock(call);
  if ((mode === undefined) !== (until === undefined)) {
    throw new S3Error("InvalidArgument", `${modeHeader} and ${untilHeader} must both be supplied.`);
  }
  if (hold !== undefined && hold !== "ON" && hold !== "OFF") throw invalid(holdHeader, hold);
  const retention = mode === undefined || until === undefined ? undefined : retentionOf(call, mode, until);
  return { lock: { retention, ...(hold === undefined ? {} : { legalHold: hold === "ON" }) } };
}

/** What a read tells of the lock. */
export function lockHeaders(attributes: ObjectAttributes | undefined): Record<string, string> {
  const { retention, legalHold } = attributes?.lock ?? {};
  return {
    ...(retention && { [modeHeader]: retention.mode, [untilHeader]: xmlTime(retention.retainUntilMs) }),
    ...(legalHold === undefined ? {} : { [holdHeader]: legalHold ? "ON" : "OFF" }),
  };
}

function retentionOf(call: ObjectCall, mode: string, until: string): Retention {
  if (mode !== "GOVERNANCE" && mode !== "COMPLIANCE") throw invalid(modeHeader, mode);
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/.test(until);
  const retainUntilMs = isTime ? Date.parse(until) : Number.NaN;
  if (Number.isNaN(retainUntilMs)) throw invalid(untilHeader, until);
  requireFuture(call, retainUntilMs);
  return { mode: mode satisfies RetentionMode, retainUntilMs };
}

function requireFuture({ options: { env } }: ObjectCall, retainUntilMs: number): void {
  if (retainUntilMs > env.clock.now()) return;
  throw new S3Error("InvalidArgument", "The retain until date must be in the future!");
}

function invalid(name: string, value: string): S3Error {
  return new S3Error("InvalidArgument", undefined, { ArgumentName: name, ArgumentValue: value.slice(0, 100) });
}

async function requireLock({ bucket, documents }: BucketCall): Promise<void> {
  if (await documents.read(bucket, lockDocument)) return;
  throw new S3Error("InvalidRequest", "Bucket is missing Object Lock Configuration");
}

async function lockedFile(
  call: ObjectCall,
): Promise<{ readonly file: OpenFile; readonly lock: VersionLock | undefined }> {
  await requireLock(call);
  const file = await openVersion(call, versionOfQuery(call));
  return { file, lock: file.attributes?.lock };
}

async function change(call: ObjectCall, wanted: Omit<LockChange, "bypassGovernance">): Promise<S3Reply> {
  const { file } = await lockedFile(call);
  const { entry, unversioned } = file;
  await call.options.metadata.changeObjectLock(
    call.bucket.drive,
    call.key,
    { ...wanted, bypassGovernance: asksBypass(call) },
    entry.version,
  );
  return emptyReply(200, versionHeader(call.bucket, entry.version, unversioned));
}
