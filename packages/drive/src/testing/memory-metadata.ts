import {
  type BadCopy,
  type ChunkId,
  type CommitRequest,
  type CommitResult,
  type CommitTarget,
  type CommittedChunk,
  type DataPathService,
  type DriveId,
  type Entry,
  type EntryAddress,
  type EntryId,
  failed,
  type GroupId,
  type GroupMember,
  type GroupView,
  isKind,
  type KnownChunk,
  type Lease,
  type LeaseId,
  type ManifestEntry,
  type NodeHealth,
  type Outcome,
  type Page,
  type PageRequest,
  type PartRequest,
  type PlanRequest,
  type ReadPlan,
  StorageError,
  succeeded,
  type Upload,
  type UploadId,
  type UploadPart,
  type VersionId,
} from "@cairn/protocol";
import type { MemoryNode } from "./memory-node.ts";

interface StoredFile {
  readonly entry: Entry;
  chunks: readonly ManifestEntry[];
}

/** The data path of a metadata server in memory, for tests of the drive library: keeps the rules of the interface, checks no keys. */
export class MemoryMetadata implements DataPathService {
  readonly nodes: readonly MemoryNode[];
  readonly health: Map<string, NodeHealth> = new Map();
  readonly calls: Map<string, number> = new Map();
  readonly commitBatches: number[] = [];
  readonly lookups: number[] = [];
  readonly openLeases: Set<LeaseId> = new Set();
  readonly leasesOpened: LeaseId[] = [];
  readonly badCopies: BadCopy[] = [];
  readonly files: Map<string, StoredFile> = new Map();
  readonly uploads: Map<UploadId, { upload: Upload; parts: Map<number, readonly CommittedChunk[]> }> = new Map();
  readonly commitIds: string[] = [];
  chunkBytes = 1024;
  copies = 2;
  pageChunks = 1024;
  partsPerPage = 2;
  /** Number of the first group that may be written to; the ones before it are sealed. */
  firstGroup = 1;
  /** Called before each call is answered: may throw. */
  before: (method: string) => void | Promise<void> = () => undefined;
  /** Called after the change was made: a throw loses the answer. */
  after: (method: string) => void = () => undefined;
  readonly #known = new Map<ChunkId, { group: GroupId; length: number }>();
  readonly #answers = new Map<string, CommitResult>();
  #next = 1;

  constructor(nodes: readonly MemoryNode[]) {
    this.nodes = nodes;
  }

  /** Every pair (or as many as there are copies) of nodes is a group. */
  groupsNow(): GroupView[] {
    const pairs = this.#groupsFrom(1);
    return this.firstGroup === 1 ? pairs : [...pairs, ...this.#groupsFrom(this.firstGroup)];
  }

  #groupsFrom(first: number): GroupView[] {
    const views: GroupView[] = [];
    const choose = (from: number, chosen: readonly MemoryNode[]): void => {
      if (chosen.length === this.copies) {
        const id = (first + views.length) as GroupId;
        const members = chosen.map((node, slot) => this.#member(node, slot));
        views.push({ id, epoch: 1, members, readToken: `read ${id}` });
        return;
      }
      for (let next = from; next < this.nodes.length; next++) {
        const node = this.nodes[next];
        if (node) choose(next + 1, [...chosen, node]);
      }
    };
    choose(0, []);
    return views;
  }

  async openLease(_drive: DriveId, _holder: string): Promise<Lease> {
    await this.#enter("openLease");
    const id = this.#next++ as LeaseId;
    this.openLeases.add(id);
    this.leasesOpened.push(id);
    return this.#lease(id);
  }

  async renewLease(lease: LeaseId): Promise<Lease> {
    await this.#enter("renewLease");
    this.#assertOpen(lease);
    return this.#lease(lease);
  }

  async closeLease(lease: LeaseId): Promise<void> {
    await this.#enter("closeLease");
    this.openLeases.delete(lease);
  }

  async lookupChunks(_drive: DriveId, ids: readonly ChunkId[]): Promise<readonly KnownChunk[]> {
    await this.#enter("lookupChunks");
    this.lookups.push(ids.length);
    return ids.flatMap((id) => {
      const known = this.#known.get(id);
      return known ? [{ id, group: known.group }] : [];
    });
  }

  async commit(requests: readonly CommitRequest[]): Promise<readonly Outcome<CommitResult>[]> {
    await this.#enter("commit");
    this.commitBatches.push(requests.length);
    const outcomes = requests.map((request): Outcome<CommitResult> => {
      try {
        return succeeded(this.#commitOne(request));
      } catch (error) {
        return failed(error, "commit");
      }
    });
    this.after("commit");
    return outcomes;
  }

  async createUpload(_commit: string, target: CommitTarget): Promise<Upload> {
    await this.#enter("createUpload");
    const id = `up_${String(this.#next++).padStart(26, "0")}` as UploadId;
    const upload = { id, target, createdAt: 0 };
    this.uploads.set(id, { upload, parts: new Map() });
    return upload;
  }

  async putPart(request: PartRequest): Promise<void> {
    await this.#enter("putPart");
    this.#assertOpen(request.lease);
    this.#take(request.chunks);
    this.#upload(request.upload).parts.set(request.part, request.chunks);
    this.after("putPart");
  }

  async listParts(upload: UploadId, page: PageRequest): Promise<Page<UploadPart>> {
    await this.#enter("listParts");
    const from = Number(page.cursor ?? 0);
    const all = [...this.#upload(upload).parts].sort(([a], [b]) => a - b);
    const items = all.slice(from, from + this.partsPerPage).map(([part, chunks]) => ({
      part,
      size: sizeOf(chunks),
      chunks: chunks.map(({ id, length, group }) => ({ id, length, group })),
    }));
    const next = from + items.length;
    return { items, cursor: next < all.length ? String(next) : undefined };
  }

  async completeUpload(commit: string, upload: UploadId, size: number): Promise<CommitResult> {
    await this.#enter("completeUpload");
    const answered = this.#answers.get(commit);
    if (answered) return answered;
    const { upload: session, parts } = this.#upload(upload);
    const chunks = [...parts].sort(([a], [b]) => a - b).flatMap(([, part]) => part);
    if (sizeOf(chunks) !== size) throw new StorageError("invalid", "complete upload", "the parts do not add up");
    this.uploads.delete(upload);
    const result = this.#store(session.target, chunks);
    this.#answers.set(commit, result);
    this.after("completeUpload");
    return result;
  }

  async abortUpload(upload: UploadId): Promise<void> {
    await this.#enter("abortUpload");
    this.uploads.delete(upload);
  }

  planReads(requests: readonly PlanRequest[]): Promise<readonly Outcome<ReadPlan>[]> {
    return Promise.all(
      requests.map(({ address, version, offset }) =>
        this.planRead(address, version, offset).then(succeeded<ReadPlan>, (error: unknown) =>
          failed(error, "read file"),
        ),
      ),
    );
  }

  async planRead(address: EntryAddress, _version: VersionId | undefined, offset: number): Promise<ReadPlan> {
    await this.#enter("planRead");
    const file = this.#find(address);
    if (offset !== 0 && offset >= file.entry.size) throw new StorageError("range", "read file", `byte ${offset}`);
    let firstByte = 0;
    let firstChunk = 0;
    while (firstChunk + this.pageChunks <= file.chunks.length) {
      const bytes = sizeOf(file.chunks.slice(firstChunk, firstChunk + this.pageChunks));
      if (firstByte + bytes > offset) break;
      firstByte += bytes;
      firstChunk += this.pageChunks;
    }
    const entries = file.chunks.slice(firstChunk, firstChunk + this.pageChunks);
    const ids = new Set(entries.map(({ group }) => group));
    const groups = this.groupsNow().filter(({ id }) => ids.has(id));
    return { entry: file.entry, page: { firstChunk, firstByte, entries }, groups };
  }

  async groups(ids: readonly GroupId[]): Promise<readonly GroupView[]> {
    await this.#enter("groups");
    return this.groupsNow().filter(({ id }) => ids.includes(id));
  }

  async reportBadCopies(copies: readonly BadCopy[]): Promise<void> {
    await this.#enter("reportBadCopies");
    this.badCopies.push(...copies);
  }

  /** As garbage collection would: the next commit that shares the chunk is refused. */
  collect(id: ChunkId): void {
    this.#known.delete(id);
  }

  #commitOne(request: CommitRequest): CommitResult {
    this.commitIds.push(request.commit);
    const answered = this.#answers.get(request.commit);
    if (answered) return answered;
    this.#assertOpen(request.lease);
    if (sizeOf(request.chunks) !== request.size) throw new StorageError("invalid", "commit", "size");
    this.#take(request.chunks);
    const result = this.#store(request.target, request.chunks);
    this.#answers.set(request.commit, result);
    return result;
  }

  #take(chunks: readonly CommittedChunk[]): void {
    const gone = chunks.filter(({ id, written }) => !written && !this.#known.has(id)).map(({ id }) => id);
    if (gone.length > 0) throw new StorageError("chunk-gone", "commit", "collected", { details: { chunks: gone } });
    for (const { id, length, group, written } of chunks) {
      if (!written) continue;
      const disks = new Set(written.receipts.map(({ disk }) => disk));
      if (disks.size !== this.copies) throw new StorageError("unauthenticated", "commit", "receipts");
      if (!this.#known.has(id)) this.#known.set(id, { group, length });
    }
  }

  #store(target: CommitTarget, chunks: readonly CommittedChunk[]): CommitResult {
    const id = `f_${String(this.#next++).padStart(26, "0")}` as EntryId;
    const entry: Entry = {
      id,
      drive: target.drive,
      parent: target.parent,
      kind: "file",
      name: target.name,
      path: `/${target.name}`,
      size: sizeOf(chunks),
      createdAt: 0,
      modifiedAt: target.modifiedAt ?? 0,
      contentType: target.contentType,
      version: `v_${String(this.#next++).padStart(26, "0")}` as VersionId,
      etag: "sha256-0",
      copies: this.copies,
      chunks: chunks.length,
      trashedAt: undefined,
    };
    const manifest = chunks.map(({ id, length, group }) => ({
      id,
      length,
      group: this.#known.get(id)?.group ?? group,
    }));
    this.files.set(entry.path, { entry, chunks: manifest });
    return { entry, changed: true };
  }

  #find(address: EntryAddress): StoredFile {
    for (const file of this.files.values()) {
      if ("id" in address ? file.entry.id === address.id : "path" in address && file.entry.path === address.path) {
        return file;
      }
    }
    throw new StorageError("not-found", "find entry", JSON.stringify(address));
  }

  #lease(id: LeaseId): Lease {
    const groups = this.#groupsFrom(this.firstGroup).map(({ id, epoch, members }) => ({
      id,
      epoch,
      members,
      writeToken: `write ${id}`,
    }));
    return { id, expiresInMs: 60_000, chunkBytes: this.chunkBytes, copies: this.copies, groups };
  }

  #member(node: MemoryNode, slot: number): GroupMember {
    return { slot, disk: node.disk, node: node.id, url: node.url, health: this.health.get(node.id) ?? "online" };
  }

  #upload(id: UploadId): { upload: Upload; parts: Map<number, readonly CommittedChunk[]> } {
    const upload = this.uploads.get(id);
    if (!upload) throw new StorageError("not-found", "find upload", id);
    return upload;
  }

  #assertOpen(lease: LeaseId): void {
    if (!this.openLeases.has(lease)) throw new StorageError("stale", "use lease", String(lease));
  }

  async #enter(method: string): Promise<void> {
    this.calls.set(method, (this.calls.get(method) ?? 0) + 1);
    await this.before(method);
  }
}

/** True when a call failed as this kind. */
export async function kindOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "no error";
  } catch (error) {
    return isKind(error, "cancelled") ? "cancelled" : error instanceof StorageError ? error.kind : String(error);
  }
}

function sizeOf(chunks: readonly { readonly length: number }[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0);
}
