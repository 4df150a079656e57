import type { GroupView, NodeDuty, NodeHealth, WritableGroup } from "./group.ts";
import type {
  ChunkId,
  CommitId,
  DiskId,
  DriveId,
  EntryId,
  Generation,
  GroupId,
  LeaseId,
  NodeId,
  UploadId,
  VersionId,
} from "./ids.ts";
import type { ManifestEntry, ManifestPage } from "./manifest.ts";
import type { Drive, Entry, EntryAddress, OnConflict, Page, PageRequest } from "./namespace.ts";
import type { FinishedPart, ObjectAttributes, ObjectService } from "./objects.ts";
import type { Outcome } from "./outcome.ts";
import type { Receipt } from "./receipt.ts";

/** The right to write, with an end. Times are durations in ms, so that clocks need not agree. */
export interface Lease {
  readonly id: LeaseId;
  readonly expiresInMs: number;
  readonly chunkBytes: number;
  readonly copies: number;
  readonly groups: readonly WritableGroup[];
}

/** A chunk that the drive has already: it need not be sent again. */
export interface KnownChunk {
  readonly id: ChunkId;
  readonly group: GroupId;
}

/** One chunk of a commit. New ones come with generation and receipts; known ones (from lookup) without. */
export interface CommittedChunk extends ManifestEntry {
  readonly written?: { readonly generation: Generation; readonly receipts: readonly Receipt[] };
}

export interface CommitTarget {
  readonly drive: DriveId;
  readonly parent: EntryId;
  readonly name: string;
  /**
   * In place of `parent` and `name`: the key of an object below the root. Folders on its way are made; any name will do,
   * and a file and a folder of one name stand side by side. What has the key is overwritten as the drive's versioning says.
   */
  readonly key?: string | undefined;
  readonly onConflict: OnConflict;
  /** The etag that the file's current version must have; null: no such file may exist. */
  readonly ifMatch?: string | null | undefined;
  readonly contentType?: string | undefined;
  /** Wall clock ms that the user gives the content; absent: the time of the commit. */
  readonly modifiedAt?: number | undefined;
  /** Of an object: the tag that the current version must have; null: there must be no such object. */
  readonly ifTag?: string | null | undefined;
  readonly attributes?: ObjectAttributes | undefined;
  /** How the object came, for those who are told of it; absent: it was put. */
  readonly cause?: "copy" | "post" | undefined;
}

/** Makes a whole small file visible in one transaction; at most commitEntriesMax chunks. */
export interface CommitRequest {
  readonly commit: CommitId;
  readonly lease: LeaseId;
  readonly target: CommitTarget;
  /** Must equal the sum of the chunks. */
  readonly size: number;
  readonly chunks: readonly CommittedChunk[];
}

/** Makes one run of chunks of an upload session durable; at most commitEntriesMax chunks. */
export interface PartRequest {
  readonly commit: CommitId;
  readonly lease: LeaseId;
  readonly upload: UploadId;
  /** 0 … uploadPartsMax − 1; the file is the parts in this order. A part of the same number is replaced. */
  readonly part: number;
  readonly chunks: readonly CommittedChunk[];
  /** Of an upload of an object: the part that is whole with these chunks. */
  readonly finished?: FinishedPart | undefined;
}

export interface CommitResult {
  readonly entry: Entry;
  /** False when the file had exactly this content already and no version was added. */
  readonly changed: boolean;
}

/** A large file that arrives in parts and becomes visible at once, without assembly. */
export interface Upload {
  readonly id: UploadId;
  readonly target: CommitTarget;
  readonly createdAt: number;
}

export interface UploadPart {
  readonly part: number;
  readonly size: number;
  readonly chunks: readonly ManifestEntry[];
}

/** One read to plan; see planRead. */
export interface PlanRequest {
  readonly address: EntryAddress;
  readonly version?: VersionId | undefined;
  readonly offset: number;
}

/** Everything a reader needs to fetch from one byte on: one run of the manifest and its groups. */
export interface ReadPlan {
  readonly entry: Entry;
  /** Of a version that came through an object API. */
  readonly attributes?: ObjectAttributes | undefined;
  /** The version was written by an object API while the bucket kept no versions. */
  readonly unversioned?: boolean | undefined;
  readonly page: ManifestPage;
  readonly groups: readonly GroupView[];
}

/** A replica that a reader found bad. */
export interface BadCopy {
  readonly id: ChunkId;
  readonly group: GroupId;
  readonly disk: DiskId;
  readonly what: "corrupt" | "missing";
}

/** What the data path asks of the metadata server. It never sees file bytes. */
export interface DataPathService {
  /** Throws unavailable when there are not enough healthy nodes for the drive's copies, no-space when they are full. */
  openLease(drive: DriveId, holder: string): Promise<Lease>;
  /** Keeps the lease alive and hands out fresh groups and tokens. Throws stale when it is closed. */
  renewLease(lease: LeaseId): Promise<Lease>;
  /** Closed is final: nothing is ever committed under this lease again. */
  closeLease(lease: LeaseId): Promise<void>;
  /** At most lookupHashesMax ids. What is not in the answer must be sent. */
  lookupChunks(drive: DriveId, ids: readonly ChunkId[]): Promise<readonly KnownChunk[]>;
  /**
   * The moment the versions exist. Each item keeps its own outcome; the same commit id gets the first answer again.
   * Kinds: stale (lease), chunk-gone (details.chunks: ids to send again), conflict, precondition-failed, not-found,
   * invalid, unauthenticated (a receipt is not genuine), unavailable (outcome unknown: repeat with the same commit id).
   */
  commit(requests: readonly CommitRequest[]): Promise<readonly Outcome<CommitResult>[]>;
  createUpload(commit: CommitId, target: CommitTarget): Promise<Upload>;
  putPart(request: PartRequest): Promise<void>;
  /** Parts of an upload in order. Throws not-found. */
  listParts(upload: UploadId, page: PageRequest): Promise<Page<UploadPart>>;
  /** All parts must be there and add up to `size`. Throws as commit. */
  completeUpload(
    commit: CommitId,
    upload: UploadId,
    size: number,
    attributes?: ObjectAttributes | undefined,
  ): Promise<CommitResult>;
  abortUpload(upload: UploadId): Promise<void>;
  /** `version` absent: the current one. `offset` is a byte of the file. Throws not-found, range. */
  planRead(address: EntryAddress, version: VersionId | undefined, offset: number): Promise<ReadPlan>;
  /** At most plansMax plans at once, each with its own outcome. Throws too-large. */
  planReads(requests: readonly PlanRequest[]): Promise<readonly Outcome<ReadPlan>[]>;
  groups(ids: readonly GroupId[]): Promise<readonly GroupView[]>;
  reportBadCopies(copies: readonly BadCopy[]): Promise<void>;
}

/** The namespace: drives, folders, files, versions, trash. */
export interface NamespaceService {
  drives(): Promise<readonly Drive[]>;
  /** Throws not-found; conflict (details.candidates) when an id prefix fits several entries. */
  stat(address: EntryAddress): Promise<Entry>;
  /** Children in byte order of their names, or newest change first. */
  list(folder: EntryId, page: PageRequest & { readonly orderBy?: "name" | "modified" }): Promise<Page<Entry>>;
  /** Number of children of a folder. */
  countChildren(folder: EntryId): Promise<number>;
  /** All missing folders of the path with `parents`; then an existing folder is no conflict. */
  createFolder(commit: CommitId, request: { drive: DriveId; path: string; parents: boolean }): Promise<Entry>;
  /** Moves and renames in one transaction. Throws conflict, not-found, invalid (into itself). */
  move(
    commit: CommitId,
    entry: EntryId,
    to: { parent?: EntryId; name?: string; onConflict: "fail" | "rename" | "replace" },
  ): Promise<Entry>;
  /** To the trash, in one step whatever the size. */
  trash(commit: CommitId, entry: EntryId): Promise<Entry>;
  /** Back to where it was; if that folder is gone, to the root of the drive. */
  restore(commit: CommitId, entry: EntryId, onConflict: "fail" | "rename"): Promise<Entry>;
  /** Gone for good, with everything below; the chunks lose their references. */
  remove(commit: CommitId, entry: EntryId): Promise<void>;
  listTrash(drive: DriveId, page: PageRequest): Promise<Page<Entry>>;
  /** Removes what was trashed before `before` (wall clock ms); tells how many entries went. */
  emptyTrash(commit: CommitId, drive: DriveId, before: number): Promise<number>;
  listVersions(entry: EntryId, page: PageRequest): Promise<Page<FileVersion>>;
}

export interface FileVersion {
  readonly version: VersionId;
  readonly size: number;
  readonly createdAt: number;
  readonly etag: string;
  readonly chunks: number;
  readonly current: boolean;
}

export interface NodeStatus {
  readonly node: NodeId;
  readonly url: string;
  readonly health: NodeHealth;
  readonly duty: NodeDuty;
  /** ms since the last heartbeat; undefined if there was none since the metadata server started. */
  readonly silentForMs: number | undefined;
  readonly version: string;
  readonly disks: readonly DiskStatus[];
}

export interface DiskStatus {
  readonly disk: DiskId;
  readonly uuid: string;
  readonly state: DiskState;
  readonly totalBytes: number;
  readonly freeBytes: number;
  readonly chunks: number;
  readonly chunkBytes: number;
}

/** full: no new chunks fit; suspect: the disk reported an error and takes no writes. */
export type DiskState = "ok" | "full" | "suspect" | "failed";

export interface ClusterStatus {
  readonly cluster: string;
  readonly version: string;
  readonly startedAt: number;
  readonly copies: number;
  readonly files: number;
  readonly folders: number;
  readonly trashed: number;
  /** Bytes of all versions as users count them. */
  readonly logicalBytes: number;
  /** Chunks that versions need, and their bytes once. */
  readonly chunks: number;
  readonly chunkBytes: number;
  readonly redundancy: Redundancy;
  readonly nodes: readonly NodeStatus[];
}

/** How many chunks have how many reachable copies right now. */
export interface Redundancy {
  readonly full: number;
  readonly reduced: number;
  readonly unreachable: number;
  /** Node failures that all data survives right now; −1 when some data cannot be read. */
  readonly canLoseNodes: number;
  /** Nodes whose return would bring unreachable or reduced chunks back. */
  readonly waitingFor: readonly NodeId[];
}

/** One chunk of a file with the state of each of its copies. */
export interface ChunkPlacement extends ManifestEntry {
  readonly index: number;
  readonly offset: number;
  readonly generation: Generation;
  readonly copies: readonly { readonly disk: DiskId; readonly node: NodeId; readonly state: CopyState }[];
}
/** ok: on an online node; the rest says why it cannot be read or trusted now. */
export type CopyState = "ok" | "suspect" | "down" | "corrupt" | "missing";

/** The rights a token carries; admin includes all. */
export type Scope = "read" | "write" | "admin";
export interface Principal {
  readonly token: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
}
export interface AccessToken extends Principal {
  readonly createdAt: number;
  readonly expiresAt: number | undefined;
}

export interface ClusterService {
  status(): Promise<ClusterStatus>;
  nodes(): Promise<readonly NodeStatus[]>;
  /** Chunks of a file from a byte on, with their copies. */
  placements(address: EntryAddress, offset: number): Promise<{ entry: Entry; chunks: readonly ChunkPlacement[] }>;
  /** Who stands behind a bearer token; it is stored hashed. Throws unauthenticated. */
  authenticate(secret: string): Promise<Principal>;
  createToken(request: {
    name: string;
    scopes: readonly Scope[];
    expiresInMs?: number | undefined;
  }): Promise<{ token: AccessToken; secret: string }>;
  listTokens(): Promise<readonly AccessToken[]>;
  revokeToken(token: string): Promise<void>;
  /** A secret with which one or more nodes may join until it ends. */
  createJoinToken(request: { expiresInMs: number }): Promise<{ secret: string; expiresAt: number }>;
}

/** Everything the metadata server does for gateways. */
export interface MetadataService extends DataPathService, NamespaceService, ClusterService, ObjectService {}
