import { nodeEnv } from "@cairn/env-node";
import {
  type AccessToken,
  type ChunkPlacement,
  type ClusterStatus,
  type Drive,
  type Entry,
  type EntryId,
  type FileVersion,
  type NodeStatus,
  type Scope,
  StorageError,
} from "@cairn/protocol";
import { AccessKeysClient } from "./access-keys.ts";
import { parseAddress, queryOf, withinDrive } from "./address.ts";
import { type DataPath, openDataPath } from "./data/data-path.ts";
import { GatewayNetwork } from "./gateway-network.ts";
import { OperationsClient } from "./operations-client.ts";
import type {
  CairnClientOptions,
  CallOptions,
  ClientEnv,
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
import { entryOf, type Json, type JsonPage, pageOf, timeOf, tokenOf, versionOf } from "./rest/resources.ts";
import { RestClient } from "./rest/rest-client.ts";
import { Uploads } from "./uploads.ts";
import { verifyFile } from "./verify.ts";
import { WebhooksClient } from "./webhooks.ts";

const driveDefault = "main";
const pageSizeMax = 1000;

/**
 * A cluster as a program sees it. An address is an entry's id (`f_…`), a unique beginning of one, or a path (`/a/b.txt`).
 * Any number of calls at once. Failures are StorageErrors; branch on `kind`.
 */
export class CairnClient implements AsyncDisposable {
  /** For those who run the cluster. */
  readonly operations: OperationsClient;
  /** For those who use S3. */
  readonly accessKeys: AccessKeysClient;
  readonly webhooks: WebhooksClient;
  readonly #rest: RestClient;
  readonly #data: DataPath;
  readonly #uploads: Uploads;
  readonly #driveName: string;
  readonly #closeEnv: (() => PromiseLike<void>) | undefined;
  #drive: Promise<Drive> | undefined;

  constructor(options: CairnClientOptions) {
    const { token, holder = "sdk" } = options;
    const base = options.url.replace(/\/+$/, "");
    const own = options.env ? undefined : nodeEnv({ name: "cairn-sdk", level: "silent", hashOffThread: true });
    const env = (options.env ?? own) as ClientEnv;
    const gateway = new GatewayNetwork(env);
    this.#closeEnv = own && (() => own[Symbol.asyncDispose]());
    this.#driveName = options.drive ?? driveDefault;
    this.#rest = new RestClient(env, gateway, { base, token });
    this.operations = new OperationsClient(this.#rest);
    this.accessKeys = new AccessKeysClient(this.#rest);
    this.webhooks = new WebhooksClient(this.#rest);
    this.#data = openDataPath(env, { base, token, holder, gateway });
    this.#uploads = new Uploads(env, {
      writer: this.#data.writer,
      drive: () => this.#findDrive(),
      stat: (address, signal) => this.stat(address, { signal }),
      url: base,
    });
  }

  async status({ signal }: CallOptions = {}): Promise<ClusterStatus> {
    const status = await this.#rest.get<Json>({ operation: "read status", path: "/cluster", signal });
    return { ...(status as unknown as ClusterStatus), startedAt: timeOf(status["startedAt"]) ?? 0 };
  }

  async nodes({ signal }: CallOptions = {}): Promise<readonly NodeStatus[]> {
    const page = await this.#rest.get<JsonPage>({ operation: "list nodes", path: "/nodes", signal });
    return page.items.map((node) => ({ ...node, silentForMs: node["silentForMs"] ?? undefined }) as NodeStatus);
  }

  async drives({ signal }: CallOptions = {}): Promise<readonly Drive[]> {
    const page = await this.#rest.get<JsonPage>({ operation: "list drives", path: "/drives", signal });
    return page.items as unknown as readonly Drive[];
  }

  async version({ signal }: CallOptions = {}): Promise<ServerVersion> {
    const { version, cluster } = await this.#rest.get<ServerVersion>({
      operation: "read version",
      path: "/version",
      signal,
    });
    return { version, cluster: cluster ?? undefined };
  }

  /** Throws not-found; conflict (details.candidates) when an id prefix fits several entries. */
  async stat(address: string, { signal }: CallOptions = {}): Promise<Entry> {
    const query = { ...queryOf(parseAddress(address)), drive: this.#driveName };
    return entryOf(await this.#rest.get<Json>({ operation: "find entry", path: "/files", query, signal }));
  }

  async list(folder: string, options: ListOptions = {}): Promise<ListPage<Entry>> {
    const id = await this.#idOf(folder, options);
    const path = `/files/${id}/children`;
    const query = { ...pageQuery(options), orderBy: options.orderBy };
    const page = await this.#rest.get<JsonPage>({ operation: "list folder", path, query, signal: options.signal });
    return pageOf(page, entryOf);
  }

  /** All children, page by page. */
  async *listAll(folder: string, options: ListOptions = {}): AsyncGenerator<Entry> {
    const id = await this.#idOf(folder, options);
    const { pageSize = pageSizeMax } = options;
    let { cursor } = options;
    do {
      const page = await this.list(id, { ...options, pageSize, cursor });
      yield* page.items;
      cursor = page.cursor;
    } while (cursor !== undefined);
  }

  /** `parents`: makes missing folders on the way, and an existing folder is no conflict. */
  async createFolder(path: string, options: CallOptions & { readonly parents?: boolean } = {}): Promise<Entry> {
    const body = { path, parents: options.parents ?? false };
    const query = { drive: this.#driveName };
    const call = { operation: "create folder", path: "/files", query, body, signal: options.signal };
    return entryOf(await this.#rest.change<Json>("POST", call));
  }

  /**
   * Straight to the storage nodes; answers when every byte is synced on every copy and the version is committed. Throws
   * conflict, not-found (folder), precondition-failed, no-space, unavailable, cancelled.
   */
  upload(source: UploadSource, target: UploadTarget, options: UploadOptions = {}): Promise<UploadResult> {
    return this.#uploads.upload(source, target, options);
  }

  /** Straight from the storage nodes, verified. Throws not-found, range; while iterating: lost, unavailable, cancelled. */
  async download(address: string, options: DownloadOptions = {}): Promise<Download> {
    const named = parseAddress(address);
    const within = "id" in named ? named : withinDrive(named, (await this.#findDrive()).id);
    return this.#data.reader.open(within, options);
  }

  /** To the trash; `permanent`: gone for good, with everything below. Answers what was deleted. */
  async delete(address: string, options: CallOptions & { readonly permanent?: boolean } = {}): Promise<Entry> {
    const { signal, permanent = false } = options;
    const entry = await this.stat(address, { signal });
    const path = `/files/${entry.id}`;
    const query = permanent ? { permanent } : {};
    const answer = await this.#rest.change<Json | undefined>("DELETE", {
      operation: "delete",
      path,
      query,
      signal,
    });
    return answer?.["id"] === entry.id ? entryOf(answer) : entry;
  }

  /** Out of the trash, to where it was. Needs an id or the beginning of one. */
  async restore(
    address: string,
    options: CallOptions & { readonly onConflict?: "fail" | "rename" } = {},
  ): Promise<Entry> {
    const id = await this.#idOf(address, options);
    const body = { onConflict: options.onConflict ?? "fail" };
    const call = { operation: "restore", path: `/trash/${id}/restore`, body, signal: options.signal };
    return entryOf(await this.#rest.change<Json>("POST", call));
  }

  /** Into another folder, under the same name or `name`. */
  async move(address: string, folder: string, options: MoveOptions & { readonly name?: string } = {}): Promise<Entry> {
    const [id, parentId] = await Promise.all([this.#idOf(address, options), this.#idOf(folder, options)]);
    return this.#patch(id, { parentId, ...(options.name === undefined ? {} : { name: options.name }) }, options);
  }

  async rename(address: string, name: string, options: MoveOptions = {}): Promise<Entry> {
    return this.#patch(await this.#idOf(address, options), { name }, options);
  }

  async listTrash(options: PageOptions = {}): Promise<ListPage<Entry>> {
    const query = { ...pageQuery(options), drive: this.#driveName };
    const call = { operation: "list trash", path: "/trash", query, signal: options.signal };
    return pageOf(await this.#rest.get<JsonPage>(call), entryOf);
  }

  /** Removes for good what was trashed before `before` (wall clock ms; default: all); tells how many entries went. */
  async emptyTrash(options: CallOptions & { readonly before?: number } = {}): Promise<number> {
    const olderThan = options.before === undefined ? undefined : new Date(options.before).toISOString();
    const query = { olderThan, drive: this.#driveName };
    const call = { operation: "empty trash", path: "/trash", query, signal: options.signal };
    return (await this.#rest.change<{ removed: number }>("DELETE", call)).removed;
  }

  async listVersions(address: string, options: PageOptions = {}): Promise<ListPage<FileVersion>> {
    const path = `/files/${await this.#idOf(address, options)}/versions`;
    const call = { operation: "list versions", path, query: pageQuery(options), signal: options.signal };
    return pageOf(await this.#rest.get<JsonPage>(call), versionOf);
  }

  /** Every chunk of a file with the places and states of its copies, as the metadata server sees them. */
  async *map(address: string, options: CallOptions = {}): AsyncGenerator<ChunkPlacement> {
    const path = `/files/${await this.#idOf(address, options)}/chunks`;
    let cursor: string | undefined;
    do {
      const call = { operation: "map file", path, query: { cursor }, signal: options.signal };
      const page: JsonPage = await this.#rest.get<JsonPage>(call);
      yield* page.items as unknown as readonly ChunkPlacement[];
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
  }

  /** Reads and checks every chunk of a file on EVERY copy. */
  async verify(address: string, options: VerifyOptions = {}): Promise<VerifyReport> {
    const entry = await this.stat(address, { signal: options.signal });
    if (entry.kind === "file") return verifyFile(this.#data.reader, entry, options);
    throw new StorageError("invalid", "verify", `${entry.path} is a folder`, { hint: "Verify the files in it." });
  }

  /** The secret is told this once. */
  async createToken(request: NewToken, { signal }: CallOptions = {}): Promise<{ token: AccessToken; secret: string }> {
    const call = { operation: "create token", path: "/tokens", body: request, signal };
    const { token, secret } = await this.#rest.once<{ token: Json; secret: string }>("POST", call);
    return { token: tokenOf(token), secret };
  }

  async listTokens({ signal }: CallOptions = {}): Promise<readonly AccessToken[]> {
    const page = await this.#rest.get<JsonPage>({ operation: "list tokens", path: "/tokens", signal });
    return page.items.map(tokenOf);
  }

  async revokeToken(token: string, { signal }: CallOptions = {}): Promise<void> {
    const path = `/tokens/${encodeURIComponent(token)}`;
    await this.#rest.change("DELETE", { operation: "revoke token", path, signal });
  }

  async createJoinToken(
    request: { readonly expiresInMs: number },
    { signal }: CallOptions = {},
  ): Promise<{ secret: string; expiresAt: number }> {
    const call = { operation: "create join token", path: "/nodes/join-tokens", body: request, signal };
    const { secret, expiresAt } = await this.#rest.once<{ secret: string; expiresAt: unknown }>("POST", call);
    return { secret, expiresAt: timeOf(expiresAt) ?? 0 };
  }

  /** Ends transfers, closes leases and connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#data.writer[Symbol.asyncDispose]();
    await this.#closeEnv?.();
  }

  async #patch(id: EntryId, body: Json, { onConflict, signal }: MoveOptions): Promise<Entry> {
    const call = { operation: "move", path: `/files/${id}`, query: { onConflict }, body, signal };
    return entryOf(await this.#rest.change<Json>("PATCH", call));
  }

  /** A whole id needs no look-up. */
  async #idOf(address: string, { signal }: CallOptions): Promise<EntryId> {
    const named = parseAddress(address);
    return "id" in named ? named.id : (await this.stat(address, { signal })).id;
  }

  #findDrive(): Promise<Drive> {
    this.#drive ??= this.#lookUpDrive().catch((error: unknown) => {
      this.#drive = undefined;
      throw error;
    });
    return this.#drive;
  }

  async #lookUpDrive(): Promise<Drive> {
    const drives = await this.drives();
    const drive = drives.find(({ name, id }) => name === this.#driveName || id === this.#driveName);
    if (drive) return drive;
    throw new StorageError("not-found", "find drive", this.#driveName, {
      hint: `Drives of this cluster: ${drives.map(({ name }) => name).join(", ")}.`,
    });
  }
}

function pageQuery({ pageSize, cursor }: PageOptions): { pageSize?: number | undefined; cursor?: string | undefined } {
  return { pageSize, cursor };
}

export interface MoveOptions extends CallOptions {
  readonly onConflict?: "fail" | "rename" | "replace" | undefined;
}

export interface NewToken {
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly expiresInMs?: number | undefined;
}
