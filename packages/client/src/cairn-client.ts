import {
  type AccessToken,
  type ChunkPlacement,
  type ClusterStatus,
  type Drive,
  type Entry,
  type FileVersion,
  type NodeStatus,
  type Scope,
  StorageError,
} from "@cairn/protocol";
import type {
  CairnClientOptions,
  CallOptions,
  Download,
  DownloadOptions,
  ListOptions,
  ListPage,
  PageOptions,
  ServerVersion,
  UploadOptions,
  UploadResult,
  UploadSource,
  UploadTarget,
  VerifyOptions,
  VerifyReport,
} from "./options.ts";

/**
 * A cluster as a program sees it. An address is an entry's id (`f_…`), a unique beginning of one, or a path (`/a/b.txt`).
 * Any number of calls at once. Failures are StorageErrors; branch on `kind`.
 */
export class CairnClient implements AsyncDisposable {
  constructor(_options: CairnClientOptions) {}

  status(_options: CallOptions = {}): Promise<ClusterStatus> {
    throw soon("status");
  }
  nodes(_options: CallOptions = {}): Promise<readonly NodeStatus[]> {
    throw soon("nodes");
  }
  drives(_options: CallOptions = {}): Promise<readonly Drive[]> {
    throw soon("drives");
  }
  version(_options: CallOptions = {}): Promise<ServerVersion> {
    throw soon("version");
  }
  /** Throws not-found; conflict (details.candidates) when an id prefix fits several entries. */
  stat(_address: string, _options: CallOptions = {}): Promise<Entry> {
    throw soon("stat");
  }
  list(_folder: string, _options: ListOptions = {}): Promise<ListPage<Entry>> {
    throw soon("list");
  }
  /** All children, page by page. */
  listAll(_folder: string, _options: ListOptions = {}): AsyncIterable<Entry> {
    throw soon("list");
  }
  /** `parents`: makes missing folders on the way, and an existing folder is no conflict. */
  createFolder(_path: string, _options: CallOptions & { readonly parents?: boolean } = {}): Promise<Entry> {
    throw soon("create folder");
  }
  /** Straight to the storage nodes; answers when every byte is synced on every copy and the version is committed. */
  upload(_source: UploadSource, _target: UploadTarget, _options: UploadOptions = {}): Promise<UploadResult> {
    throw soon("upload");
  }
  /** Straight from the storage nodes, verified. */
  download(_address: string, _options: DownloadOptions = {}): Promise<Download> {
    throw soon("download");
  }
  /** To the trash; `permanent`: gone for good, with everything below. Answers what was deleted. */
  delete(_address: string, _options: CallOptions & { readonly permanent?: boolean } = {}): Promise<Entry> {
    throw soon("delete");
  }
  /** Out of the trash, to where it was. */
  restore(_address: string, _options: CallOptions & { readonly onConflict?: "fail" | "rename" } = {}): Promise<Entry> {
    throw soon("restore");
  }
  /** Into another folder, under the same name or `name`. */
  move(_address: string, _folder: string, _options: MoveOptions & { readonly name?: string } = {}): Promise<Entry> {
    throw soon("move");
  }
  rename(_address: string, _name: string, _options: MoveOptions = {}): Promise<Entry> {
    throw soon("rename");
  }
  listTrash(_options: PageOptions = {}): Promise<ListPage<Entry>> {
    throw soon("list trash");
  }
  /** Removes for good what was trashed before `before` (wall clock ms; default: everything); tells how many entries went. */
  emptyTrash(_options: CallOptions & { readonly before?: number } = {}): Promise<number> {
    throw soon("empty trash");
  }
  listVersions(_address: string, _options: PageOptions = {}): Promise<ListPage<FileVersion>> {
    throw soon("list versions");
  }
  /** Every chunk of a file with the places and states of its copies, as the metadata server sees them. */
  map(_address: string, _options: CallOptions = {}): AsyncIterable<ChunkPlacement> {
    throw soon("map");
  }
  /** Reads and checks every chunk of a file on EVERY copy. */
  verify(_address: string, _options: VerifyOptions = {}): Promise<VerifyReport> {
    throw soon("verify");
  }
  createToken(_request: NewToken, _options: CallOptions = {}): Promise<{ token: AccessToken; secret: string }> {
    throw soon("create token");
  }
  listTokens(_options: CallOptions = {}): Promise<readonly AccessToken[]> {
    throw soon("list tokens");
  }
  revokeToken(_token: string, _options: CallOptions = {}): Promise<void> {
    throw soon("revoke token");
  }
  createJoinToken(
    _request: { readonly expiresInMs: number },
    _options: CallOptions = {},
  ): Promise<{ secret: string; expiresAt: number }> {
    throw soon("create join token");
  }

  /** Ends transfers, closes leases and connections. */
  async [Symbol.asyncDispose](): Promise<void> {}
}

export interface MoveOptions extends CallOptions {
  readonly onConflict?: "fail" | "rename" | "replace" | undefined;
}

export interface NewToken {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly expiresInMs?: number | undefined;
}

function soon(operation: string): StorageError {
  return new StorageError("internal", operation, "this call is not built in");
}
