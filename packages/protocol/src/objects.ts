import type { CommitId, DriveId, EntryId, UploadId, VersionId } from "./ids.ts";
import type { CommitResult, Upload } from "./metadata-service.ts";
import type { Entry } from "./namespace.ts";
import type { Webhook } from "./notification.ts";
import type { LockChange, VersionLock } from "./object-lock.ts";
import type { Outcome } from "./outcome.ts";

/** A checksum of an object's bytes as the object API names it. */
export interface ObjectChecksum {
  /** CRC32, CRC32C, CRC64NVME, SHA1 or SHA256. */
  readonly algorithm: string;
  /** Base64; of a composite one followed by `-` and the number of parts. */
  readonly value: string;
  readonly type: "FULL_OBJECT" | "COMPOSITE";
}

/** What an object API keeps beside the bytes of a version. */
export interface ObjectAttributes {
  /** The ETag without quotes: MD5 in hex, or that of the parts' MD5s and `-` and their number. */
  readonly tag: string;
  /** Headers that a read answers as they came, names in lower case. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Metadata of the user, names in lower case. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly checksum?: ObjectChecksum | undefined;
  /** Bytes of each part, in order, of an object that came in parts. */
  readonly parts?: readonly number[] | undefined;
  /** May be changed later, as `acl` may, unlike all else. */
  readonly tags?: Readonly<Record<string, string>> | undefined;
  /** Everybody may read it; absent: whoever may read the drive. */
  readonly acl?: "public-read" | undefined;
  /** What keeps the version from being removed for good; may be changed as far as it allows itself. */
  readonly lock?: VersionLock | undefined;
}

/**
 * The ETag of a content that came another way than through an object API: from its own etag, and with a `-`, which tells
 * clients that it is no MD5. `etag` as Entry has it.
 */
export function objectTag({ tag, etag, chunks }: Pick<Entry, "tag" | "etag" | "chunks">): string {
  if (tag !== undefined) return tag;
  return `${(etag ?? "").replace(/^sha256-/, "").slice(0, 32)}-${Math.max(chunks, 1)}`;
}

/**
 * Whether overwriting and removing through an object API keep what was there. suspended: what was kept stays, and what comes
 * now replaces what came while nothing was kept.
 */
export type Versioning = "off" | "enabled" | "suspended";

/** A drive as object APIs see it. */
export interface Bucket {
  readonly drive: DriveId;
  readonly root: EntryId;
  readonly name: string;
  readonly createdAt: number;
  readonly versioning: Versioning;
}

/** An object in a listing. */
export interface ListedObject {
  readonly key: string;
  readonly version: VersionId;
  readonly size: number;
  readonly modifiedAt: number;
  readonly tag: string;
}

export interface ObjectListRequest {
  readonly prefix: string;
  /** Keys that share their beginning up to here behind the prefix are told once; empty: each by itself. */
  readonly delimiter: string;
  /** Only what comes behind this key, in the order of UTF-8 bytes; a common prefix that it begins with is behind it too, unless it is that prefix. */
  readonly after: string;
  /** Objects and common prefixes together, 1 … 1000. */
  readonly size: number;
}

export interface ObjectPage {
  /** In the order of their bytes, objects and common prefixes each for themselves. */
  readonly objects: readonly ListedObject[];
  readonly prefixes: readonly string[];
  /** The `after` of the next page: the last key or prefix of this one. Undefined after the last page. */
  readonly next: string | undefined;
}

/** A version of an object in a listing, or what marks it as deleted: a file that lies in the trash since. */
export interface ListedVersion {
  readonly key: string;
  /** Of a marker: that of the file in the trash. */
  readonly version: VersionId;
  readonly marker: boolean;
  /** It was written while the bucket kept no versions: S3 calls it `null`. */
  readonly unversioned: boolean;
  /** The newest of its key. */
  readonly latest: boolean;
  readonly size: number;
  readonly modifiedAt: number;
  readonly tag: string;
}

export interface ObjectVersionsRequest extends ObjectListRequest {
  /** Go on with what is older than this version of the key `after`; absent: behind that key. */
  readonly afterVersion?: VersionId | undefined;
}

export interface ObjectVersionPage {
  /** In the order of their keys' bytes, the newest of a key first. */
  readonly versions: readonly ListedVersion[];
  readonly prefixes: readonly string[];
  /** The last that this page tells; undefined after the last page. */
  readonly next: { readonly after: string; readonly afterVersion: VersionId | undefined } | undefined;
}

/** What a version id of an object stands for. */
export interface FoundVersion {
  readonly version: VersionId;
  readonly marker: boolean;
}

/** A part of an object that is being put together. */
export interface ObjectPart {
  /** 1 … 10,000. */
  readonly number: number;
  readonly size: number;
  readonly tag: string;
  readonly checksum?: ObjectChecksum | undefined;
  readonly modifiedAt: number;
}

/** Makes one part of an object durable; the last of its runs of chunks carries it. */
export interface FinishedPart {
  readonly number: number;
  /** Runs of chunks that the part consists of. */
  readonly runs: number;
  readonly size: number;
  readonly tag: string;
  readonly checksum?: ObjectChecksum | undefined;
}

/** Which object of a drive, and which of its versions. */
export interface ObjectAddress {
  readonly drive: DriveId;
  readonly key: string;
}

/** What a removal did. */
export interface RemovedObject {
  /** False when there was nothing of this key. */
  readonly removed: boolean;
  /** It can be restored from the trash. */
  readonly trashed: boolean;
  /** The delete marker that was made, or the one that was removed. */
  readonly marker?: VersionId | undefined;
}

/** An access key with which object APIs sign requests; its secret is shown once. */
export interface AccessKey {
  /** 20 characters. */
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly ("read" | "write")[];
  /** Names of the drives that it may use; absent: all. */
  readonly drives?: readonly string[] | undefined;
  readonly createdAt: number;
  readonly expiresAt: number | undefined;
}

/** Drives as buckets and files as objects: what object APIs ask of the metadata server besides the data path. */
export interface ObjectService {
  buckets(): Promise<readonly Bucket[]>;
  /** Throws conflict (the name is taken), invalid (name). */
  createBucket(commit: CommitId, request: { readonly name: string; readonly versioning: Versioning }): Promise<Bucket>;
  /** Throws not-found; conflict when something is in it, or when it is the cluster's first drive. */
  removeBucket(commit: CommitId, drive: DriveId): Promise<void>;
  /** Throws conflict for a drive with object lock, which keeps all versions. */
  setVersioning(drive: DriveId, versioning: Versioning): Promise<Bucket>;
  /** What an object API keeps with a bucket, as JSON text; undefined when there is none. */
  bucketDocument(drive: DriveId, name: string): Promise<string | undefined>;
  /** `body` null: none any more. At most bucketDocumentBytesMax. Throws conflict for an object lock that cannot be or go. */
  setBucketDocument(drive: DriveId, name: string, body: string | null): Promise<void>;
  /** In order of their names. */
  webhooks(): Promise<readonly Webhook[]>;
  /** Adds a webhook, or gives it another address. Throws invalid, too-large. */
  putWebhook(webhook: Pick<Webhook, "name" | "url">): Promise<void>;
  /** With what was still to be posted to it. Throws not-found, conflict (a bucket names it). */
  removeWebhook(name: string): Promise<void>;
  /** What counts as a day in lifecycle rules. */
  lifecycleDayMs(): Promise<number>;
  /** `version` absent: of the current one. Throws not-found. */
  setObjectTags(
    drive: DriveId,
    key: string,
    tags: Readonly<Record<string, string>>,
    version?: VersionId | undefined,
  ): Promise<void>;
  /** One page of the versions of a drive's objects, with those of objects in the trash. */
  listObjectVersions(drive: DriveId, request: ObjectVersionsRequest): Promise<ObjectVersionPage>;
  /** `null`: the one that was written while nothing was kept. Absent: the newest, be it a marker. Undefined: no such thing. */
  findObjectVersion(
    drive: DriveId,
    key: string,
    version?: VersionId | "null" | undefined,
  ): Promise<FoundVersion | undefined>;
  /** Who may read a version, absent: the current one; `acl` null: whoever may read the drive. Throws not-found. */
  setObjectAcl(drive: DriveId, key: string, acl: "public-read" | null, version?: VersionId | undefined): Promise<void>;
  /** Of a version, absent: the current one. Throws not-found, invalid (no object lock), forbidden (what is there holds). */
  changeObjectLock(drive: DriveId, key: string, change: LockChange, version?: VersionId | undefined): Promise<void>;
  /** One page of a drive's objects in the order of their keys' UTF-8 bytes. */
  listObjects(drive: DriveId, request: ObjectListRequest): Promise<ObjectPage>;
  /** At most objectsPerRemovalMax keys, each with its own outcome. One that is not there is removed already. */
  removeObjects(
    commit: CommitId,
    drive: DriveId,
    objects: readonly ObjectRemoval[],
  ): Promise<readonly Outcome<RemovedObject>[]>;
  /** Parts in order of their numbers. Throws not-found. */
  listObjectParts(upload: UploadId, page: { readonly after: number; readonly size: number }): Promise<ObjectParts>;
  /** Open uploads of a drive's objects in order of (key, upload). */
  listObjectUploads(drive: DriveId, request: ObjectUploadsRequest): Promise<ObjectUploads>;
  /**
   * Makes these parts, in this order, the object. Throws not-found (upload), conflict (details.part: it is not there or has
   * another tag), precondition-failed. The same commit id gets the first answer again.
   */
  completeObject(
    commit: CommitId,
    upload: UploadId,
    parts: readonly { readonly number: number; readonly tag: string }[],
    whole: WholeObject,
  ): Promise<CommitResult>;
  /** Who stands behind an access key, with the secret that signs. Throws unauthenticated. */
  signingKey(id: string): Promise<{ readonly key: AccessKey; readonly secret: string }>;
  createAccessKey(request: NewAccessKey): Promise<{ readonly key: AccessKey; readonly secret: string }>;
  listAccessKeys(): Promise<readonly AccessKey[]>;
  /** At once, for good. Throws not-found. */
  revokeAccessKey(id: string): Promise<void>;
}

/** What the parts of an upload become. */
export interface WholeObject {
  readonly attributes: ObjectAttributes;
  /** As in CommitTarget. */
  readonly ifTag?: string | null | undefined;
}

export interface ObjectRemoval {
  readonly key: string;
  /** The tag that the object must have. */
  readonly ifTag?: string | undefined;
  /** Only this version, or marker, and for good. `null`: the one that was written while nothing was kept. */
  readonly version?: VersionId | "null" | undefined;
  /** By somebody who may lift what governance keeps. */
  readonly bypassGovernance?: boolean | undefined;
}

export interface ObjectParts {
  readonly upload: Upload;
  readonly parts: readonly ObjectPart[];
  readonly more: boolean;
}

export interface ObjectUploadsRequest {
  readonly prefix: string;
  readonly after?: { readonly key: string; readonly upload: UploadId | undefined } | undefined;
  readonly size: number;
}

export interface ObjectUploads {
  readonly uploads: readonly { readonly id: UploadId; readonly key: string; readonly createdAt: number }[];
  readonly more: boolean;
}

export interface NewAccessKey {
  readonly name: string;
  readonly scopes: readonly ("read" | "write")[];
  readonly drives?: readonly string[] | undefined;
  readonly expiresInMs?: number | undefined;
}
