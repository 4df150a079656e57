import type {
  AccessKey,
  AccessToken,
  BadCopy,
  Bucket,
  ChunkId,
  ChunkPlacement,
  ClusterStatus,
  CommitId,
  CommitRequest,
  CommitResult,
  CommitTarget,
  Drive,
  DriveId,
  Entry,
  EntryAddress,
  EntryId,
  FileVersion,
  FoundVersion,
  GroupId,
  GroupView,
  KnownChunk,
  Lease,
  LeaseId,
  LockChange,
  MetadataService,
  NewAccessKey,
  NodeStatus,
  ObjectAttributes,
  ObjectListRequest,
  ObjectPage,
  ObjectParts,
  ObjectRemoval,
  ObjectUploads,
  ObjectUploadsRequest,
  ObjectVersionPage,
  ObjectVersionsRequest,
  Outcome,
  Page,
  PageRequest,
  PartRequest,
  PlanRequest,
  Principal,
  ReadPlan,
  RemovedObject,
  Scope,
  Upload,
  UploadId,
  UploadPart,
  VersionId,
  Versioning,
  Webhook,
  WholeObject,
} from "@cairn/protocol";
import type { ClusterReports } from "./cluster/cluster-reports.ts";
import type { Commits } from "./commit/commits.ts";
import { lookupChunks } from "./commit/known-chunks.ts";
import type { FolderRequest } from "./namespace/folders.ts";
import type { MoveTarget } from "./namespace/move.ts";
import type { Namespace } from "./namespace/namespace.ts";
import type { Objects } from "./objects/objects.ts";
import type { ReadPlanner } from "./read/read-plan.ts";
import type { ClusterCore } from "./service/cluster-core.ts";
import type { Store } from "./sql/store.ts";
import type { Uploads } from "./upload/uploads.ts";

export interface MetadataParts {
  readonly store: Store;
  readonly core: ClusterCore;
  readonly namespace: Namespace;
  readonly commits: Commits;
  readonly uploads: Uploads;
  readonly planner: ReadPlanner;
  readonly reports: ClusterReports;
  readonly objects: Objects;
}

/** The metadata service in one place; each call is done by the part that knows how. */
export class MetadataServer implements MetadataService {
  readonly #parts: MetadataParts;

  constructor(parts: MetadataParts) {
    this.#parts = parts;
  }

  // The data path.
  openLease(drive: DriveId, holder: string): Promise<Lease> {
    return this.#parts.core.leases.open(drive, holder);
  }
  renewLease(lease: LeaseId): Promise<Lease> {
    return this.#parts.core.leases.renew(lease);
  }
  closeLease(lease: LeaseId): Promise<void> {
    return this.#parts.core.leases.close(lease);
  }
  lookupChunks(drive: DriveId, ids: readonly ChunkId[]): Promise<readonly KnownChunk[]> {
    return lookupChunks(this.#parts.store, drive, ids);
  }
  commit(requests: readonly CommitRequest[]): Promise<readonly Outcome<CommitResult>[]> {
    return this.#parts.commits.commit(requests);
  }
  createUpload(commit: CommitId, target: CommitTarget): Promise<Upload> {
    return this.#parts.uploads.create(commit, target);
  }
  putPart(request: PartRequest): Promise<void> {
    return this.#parts.uploads.putPart(request);
  }
  listParts(upload: UploadId, page: PageRequest): Promise<Page<UploadPart>> {
    return this.#parts.uploads.list(upload, page);
  }
  completeUpload(
    commit: CommitId,
    upload: UploadId,
    size: number,
    attributes?: ObjectAttributes | undefined,
  ): Promise<CommitResult> {
    return this.#parts.uploads.complete(commit, upload, size, attributes ?? undefined);
  }
  abortUpload(upload: UploadId): Promise<void> {
    return this.#parts.uploads.abort(upload);
  }
  planRead(address: EntryAddress, version: VersionId | undefined, offset: number): Promise<ReadPlan> {
    return this.#parts.planner.plan(address, version, offset);
  }
  planReads(requests: readonly PlanRequest[]): Promise<readonly Outcome<ReadPlan>[]> {
    return this.#parts.planner.planAll(requests);
  }
  groups(ids: readonly GroupId[]): Promise<readonly GroupView[]> {
    return this.#parts.core.views.views(ids);
  }
  reportBadCopies(copies: readonly BadCopy[]): Promise<void> {
    return this.#parts.reports.reportBadCopies(copies);
  }

  // The namespace.
  drives(): Promise<readonly Drive[]> {
    return this.#parts.namespace.drives();
  }
  stat(address: EntryAddress): Promise<Entry> {
    return this.#parts.namespace.stat(address);
  }
  list(folder: EntryId, page: PageRequest & { readonly orderBy?: "name" | "modified" }): Promise<Page<Entry>> {
    return this.#parts.namespace.list(folder, page);
  }
  countChildren(folder: EntryId): Promise<number> {
    return this.#parts.namespace.countChildren(folder);
  }
  createFolder(commit: CommitId, request: FolderRequest): Promise<Entry> {
    return this.#parts.namespace.createFolder(commit, request);
  }
  move(commit: CommitId, entry: EntryId, to: MoveTarget): Promise<Entry> {
    return this.#parts.namespace.move(commit, entry, to);
  }
  trash(commit: CommitId, entry: EntryId): Promise<Entry> {
    return this.#parts.namespace.trash(commit, entry);
  }
  restore(commit: CommitId, entry: EntryId, onConflict: "fail" | "rename"): Promise<Entry> {
    return this.#parts.namespace.restore(commit, entry, onConflict);
  }
  remove(commit: CommitId, entry: EntryId): Promise<void> {
    return this.#parts.namespace.remove(commit, entry);
  }
  listTrash(drive: DriveId, page: PageRequest): Promise<Page<Entry>> {
    return this.#parts.namespace.listTrash(drive, page);
  }
  emptyTrash(commit: CommitId, drive: DriveId, before: number): Promise<number> {
    return this.#parts.namespace.emptyTrash(commit, drive, before);
  }
  listVersions(entry: EntryId, page: PageRequest): Promise<Page<FileVersion>> {
    return this.#parts.namespace.listVersions(entry, page);
  }

  // The cluster and who may use it.
  status(): Promise<ClusterStatus> {
    return this.#parts.reports.status();
  }
  nodes(): Promise<readonly NodeStatus[]> {
    return this.#parts.reports.nodes();
  }
  placements(address: EntryAddress, offset: number): Promise<{ entry: Entry; chunks: readonly ChunkPlacement[] }> {
    return this.#parts.reports.placements(address, offset);
  }
  authenticate(secret: string): Promise<Principal> {
    return this.#parts.core.access.authenticate(secret);
  }
  createToken(request: NewTokenRequest): Promise<{ token: AccessToken; secret: string }> {
    return this.#parts.core.access.createToken(request);
  }
  listTokens(): Promise<readonly AccessToken[]> {
    return this.#parts.core.access.listTokens();
  }
  revokeToken(token: string): Promise<void> {
    return this.#parts.core.access.revokeToken(token);
  }
  createJoinToken(request: { expiresInMs: number }): Promise<{ secret: string; expiresAt: number }> {
    return this.#parts.core.access.createJoinToken(request);
  }

  // Drives as buckets, files as objects.
  buckets(): Promise<readonly Bucket[]> {
    return this.#parts.objects.buckets();
  }
  createBucket(commit: CommitId, request: { name: string; versioning: Versioning }): Promise<Bucket> {
    return this.#parts.objects.createBucket(commit, request);
  }
  removeBucket(commit: CommitId, drive: DriveId): Promise<void> {
    return this.#parts.objects.removeBucket(commit, drive);
  }
  setVersioning(drive: DriveId, versioning: Versioning): Promise<Bucket> {
    return this.#parts.objects.setVersioning(drive, versioning);
  }
  bucketDocument(drive: DriveId, name: string): Promise<string | undefined> {
    return this.#parts.objects.bucketDocument(drive, name);
  }
  setBucketDocument(drive: DriveId, name: string, body: string | null): Promise<void> {
    return this.#parts.objects.setBucketDocument(drive, name, body);
  }
  webhooks(): Promise<readonly Webhook[]> {
    return this.#parts.objects.webhooks();
  }
  putWebhook(webhook: Pick<Webhook, "name" | "url">): Promise<void> {
    return this.#parts.objects.putWebhook(webhook);
  }
  removeWebhook(name: string): Promise<void> {
    return this.#parts.objects.removeWebhook(name);
  }
  async lifecycleDayMs(): Promise<number> {
    return this.#parts.core.settings.get("lifecycle.day");
  }
  setObjectTags(
    drive: DriveId,
    key: string,
    tags: Readonly<Record<string, string>>,
    version?: VersionId,
  ): Promise<void> {
    return this.#parts.objects.setObjectTags(drive, key, tags, version);
  }
  listObjectVersions(drive: DriveId, request: ObjectVersionsRequest): Promise<ObjectVersionPage> {
    return this.#parts.objects.listObjectVersions(drive, request);
  }
  findObjectVersion(drive: DriveId, key: string, version?: VersionId | "null"): Promise<FoundVersion | undefined> {
    return this.#parts.objects.findObjectVersion(drive, key, version);
  }

  setObjectAcl(drive: DriveId, key: string, acl: "public-read" | null, version?: VersionId): Promise<void> {
    return this.#parts.objects.setObjectAcl(drive, key, acl, version);
  }
  changeObjectLock(drive: DriveId, key: string, change: LockChange, version?: VersionId): Promise<void> {
    return this.#parts.objects.changeObjectLock(drive, key, change, version);
  }
  listObjects(drive: DriveId, request: ObjectListRequest): Promise<ObjectPage> {
    return this.#parts.objects.listObjects(drive, request);
  }
  removeObjects(
    commit: CommitId,
    drive: DriveId,
    objects: readonly ObjectRemoval[],
  ): Promise<readonly Outcome<RemovedObject>[]> {
    return this.#parts.objects.removeObjects(commit, drive, objects);
  }
  listObjectParts(upload: UploadId, page: { after: number; size: number }): Promise<ObjectParts> {
    return this.#parts.objects.listObjectParts(upload, page);
  }
  listObjectUploads(drive: DriveId, request: ObjectUploadsRequest): Promise<ObjectUploads> {
    return this.#parts.objects.listObjectUploads(drive, request);
  }
  completeObject(
    commit: CommitId,
    upload: UploadId,
    parts: readonly { number: number; tag: string }[],
    whole: WholeObject,
  ): Promise<CommitResult> {
    return this.#parts.objects.completeObject(commit, upload, parts, whole);
  }
  signingKey(id: string): Promise<{ key: AccessKey; secret: string }> {
    return this.#parts.objects.signingKey(id);
  }
  createAccessKey(request: NewAccessKey): Promise<{ key: AccessKey; secret: string }> {
    return this.#parts.objects.createAccessKey(request);
  }
  listAccessKeys(): Promise<readonly AccessKey[]> {
    return this.#parts.objects.listAccessKeys();
  }
  revokeAccessKey(id: string): Promise<void> {
    return this.#parts.objects.revokeAccessKey(id);
  }
}

interface NewTokenRequest {
  name: string;
  scopes: readonly Scope[];
  expiresInMs?: number | undefined;
}
