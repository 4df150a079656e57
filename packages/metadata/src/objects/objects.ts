import {
  type AccessKey,
  type Bucket,
  type CommitId,
  type CommitResult,
  type DriveId,
  type FoundVersion,
  type LockChange,
  type NewAccessKey,
  type ObjectListRequest,
  type ObjectPage,
  type ObjectParts,
  type ObjectRemoval,
  type ObjectService,
  type ObjectUploads,
  type ObjectUploadsRequest,
  type ObjectVersionPage,
  type ObjectVersionsRequest,
  type Outcome,
  type RemovedObject,
  StorageError,
  type UploadId,
  type VersionId,
  type Versioning,
  type Webhook,
  type WholeObject,
} from "@cairn/protocol";
import { Webhooks } from "../notification/webhooks.ts";
import { readTree, type Store } from "../sql/store.ts";
import { listObjectParts } from "../upload/object-parts.ts";
import type { ChosenPart } from "../upload/upload-completion.ts";
import type { Uploads } from "../upload/uploads.ts";
import type { AccessKeys } from "./access-keys.ts";
import { Buckets } from "./buckets.ts";
import { changeAttributes, changeLock } from "./changed-attributes.ts";
import { listObjects } from "./object-listing.ts";
import { removeObjects } from "./object-removal.ts";
import { listObjectUploads } from "./object-uploads.ts";
import { listObjectVersions } from "./version-listing.ts";
import { versionAtKey } from "./version-lookup.ts";

/** Drives as buckets, files as objects. */
export class Objects implements Omit<ObjectService, "lifecycleDayMs"> {
  readonly #store: Store;
  readonly #uploads: Uploads;
  readonly #keys: AccessKeys;
  readonly #buckets: Buckets;
  readonly #webhooks: Webhooks;

  constructor(store: Store, { uploads, keys }: { readonly uploads: Uploads; readonly keys: AccessKeys }) {
    this.#store = store;
    this.#uploads = uploads;
    this.#keys = keys;
    this.#buckets = new Buckets(store);
    this.#webhooks = new Webhooks(store);
  }

  buckets(): Promise<readonly Bucket[]> {
    return this.#buckets.all();
  }
  createBucket(commit: CommitId, request: { name: string; versioning: Versioning }): Promise<Bucket> {
    return this.#buckets.create(commit, request);
  }
  removeBucket(commit: CommitId, drive: DriveId): Promise<void> {
    return this.#buckets.remove(commit, drive);
  }
  setVersioning(drive: DriveId, versioning: Versioning): Promise<Bucket> {
    return this.#buckets.setVersioning(drive, versioning);
  }
  bucketDocument(drive: DriveId, name: string): Promise<string | undefined> {
    return this.#buckets.document(drive, name);
  }
  setBucketDocument(drive: DriveId, name: string, body: string | null): Promise<void> {
    return this.#buckets.setDocument(drive, name, body);
  }
  webhooks(): Promise<readonly Webhook[]> {
    return this.#webhooks.list();
  }
  putWebhook(webhook: Pick<Webhook, "name" | "url">): Promise<void> {
    return this.#webhooks.put(webhook);
  }
  removeWebhook(name: string): Promise<void> {
    return this.#webhooks.remove(name);
  }
  setObjectTags(
    drive: DriveId,
    key: string,
    tags: Readonly<Record<string, string>>,
    version?: VersionId,
  ): Promise<void> {
    return changeAttributes(this.#store, { drive, key, version }, () => ({ tags }));
  }
  setObjectAcl(drive: DriveId, key: string, acl: "public-read" | null, version?: VersionId): Promise<void> {
    if (acl !== null && acl !== "public-read") throw new StorageError("invalid", "set list", String(acl).slice(0, 40));
    return changeAttributes(this.#store, { drive, key, version }, () => ({ acl: acl ?? undefined }));
  }
  changeObjectLock(drive: DriveId, key: string, change: LockChange, version?: VersionId): Promise<void> {
    return changeLock(this.#store, { drive, key, version }, change);
  }
  async listObjectVersions(drive: DriveId, request: ObjectVersionsRequest): Promise<ObjectVersionPage> {
    return await listObjectVersions(this.#store, drive, request);
  }
  findObjectVersion(drive: DriveId, key: string, version?: VersionId | "null"): Promise<FoundVersion | undefined> {
    return readTree(this.#store, async (tree, sql) => {
      const found = await versionAtKey(tree, await this.#store.drives.byId(sql, drive), { key, version });
      return found && { version: found.version, marker: found.marker };
    });
  }
  async listObjects(drive: DriveId, request: ObjectListRequest): Promise<ObjectPage> {
    return await listObjects(this.#store, drive, request);
  }
  removeObjects(
    commit: CommitId,
    drive: DriveId,
    objects: readonly ObjectRemoval[],
  ): Promise<readonly Outcome<RemovedObject>[]> {
    return removeObjects(this.#store, commit, { drive, objects });
  }
  listObjectParts(upload: UploadId, page: { after: number; size: number }): Promise<ObjectParts> {
    return this.#store.database.read((sql) => listObjectParts(sql, upload, page));
  }
  async listObjectUploads(drive: DriveId, request: ObjectUploadsRequest): Promise<ObjectUploads> {
    return await listObjectUploads(this.#store, drive, request);
  }
  completeObject(
    commit: CommitId,
    upload: UploadId,
    parts: readonly ChosenPart[],
    whole: WholeObject,
  ): Promise<CommitResult> {
    return this.#uploads.completeObject(commit, upload, { ...whole, parts });
  }
  signingKey(id: string): Promise<{ key: AccessKey; secret: string }> {
    return this.#keys.signing(id);
  }
  createAccessKey(request: NewAccessKey): Promise<{ key: AccessKey; secret: string }> {
    return this.#keys.create(request);
  }
  listAccessKeys(): Promise<readonly AccessKey[]> {
    return this.#keys.list();
  }
  revokeAccessKey(id: string): Promise<void> {
    return this.#keys.revoke(id);
  }
}
