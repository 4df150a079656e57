import type { ChunkCheck, OnProgress, TransferControl, WriteSource } from "@cairn/drive";
import type { Env } from "@cairn/env";
import type { Entry, OnConflict, UploadId, VersionId } from "@cairn/protocol";

/** What the SDK takes of the platform. */
export type ClientEnv = Pick<Env, "clock" | "random" | "hasher" | "log" | "metrics" | "network">;

export interface CairnClientOptions {
  /** Base URL of a gateway, such as `http://127.0.0.1:7070`. */
  readonly url: string;
  /** Access token. */
  readonly token?: string | undefined;
  /** Name of the drive that paths and id prefixes are looked up in. Default: `main`. */
  readonly drive?: string | undefined;
  /** The platform. Default: Node; then disposing of the client closes its connections. */
  readonly env?: ClientEnv | undefined;
  /** Names this client in its leases, for people. Default: `sdk`. */
  readonly holder?: string | undefined;
}

/** May be stopped; a stopped call throws cancelled. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface PageOptions extends CallOptions {
  /** 1 … 1000. Default: 100. */
  readonly pageSize?: number | undefined;
  readonly cursor?: string | undefined;
}

export interface ListOptions extends PageOptions {
  readonly orderBy?: "name" | "modified" | undefined;
}

/** One page of a listing. */
export interface ListPage<Item> {
  readonly items: readonly Item[];
  /** Pass it to get the next page; undefined after the last. */
  readonly cursor: string | undefined;
  /** Items in all pages, where the server counts them. */
  readonly totalCount: number | undefined;
}

/** Where an upload goes. */
export interface UploadTarget {
  /** Address of the folder. Default: `/`. */
  readonly folder?: string | undefined;
  readonly name: string;
  /** Default: `fail`. */
  readonly onConflict?: OnConflict | undefined;
  readonly contentType?: string | undefined;
  /** Wall clock ms. Default: the time of the commit. */
  readonly modifiedAt?: number | undefined;
  /** The etag that the current version must have; null: the file must not exist yet. */
  readonly ifMatch?: string | null | undefined;
}

/** Keeps upload ids so that an upload that broke off can go on, even in another process. */
export interface ResumeStore {
  get(key: string): Promise<string | undefined>;
  set(key: string, upload: UploadId): Promise<void>;
  delete(key: string): Promise<void>;
}

export interface UploadOptions extends TransferControl {
  /** With it an upload of more than 64 chunks goes on where the last attempt of the same one broke off. */
  readonly resume?: ResumeStore | undefined;
}

export interface UploadResult {
  readonly entry: Entry;
  /** False when the file had exactly this content already and no version was added. */
  readonly changed: boolean;
  /** Bytes that needed no sending, because the drive had them already. */
  readonly bytesKnown: number;
}

export interface DownloadOptions extends TransferControl {
  /** First byte. Default: 0. */
  readonly offset?: number | undefined;
  /** Default: all from the offset on. */
  readonly length?: number | undefined;
  readonly version?: VersionId | undefined;
}

export interface Download {
  readonly entry: Entry;
  /** Bytes [offset, offset + length) are on their way. */
  readonly offset: number;
  readonly length: number;
  /** In order and verified. Leaving the loop early stops the download. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

export interface VerifyOptions extends CallOptions {
  readonly onProgress?: OnProgress | undefined;
  /** Told every chunk with the state of each copy, in order of the file. */
  readonly onChunk?: ((check: ChunkCheck) => void) | undefined;
}

/** What reading every copy of every chunk of a file showed. */
export interface VerifyReport {
  readonly entry: Entry;
  readonly chunks: number;
  /** Copies by state. */
  readonly copies: Readonly<Record<"ok" | "corrupt" | "missing" | "unreachable", number>>;
  /** Chunks without any good copy. */
  readonly chunksWithoutCopy: number;
  /** Chunks with fewer good copies than the drive asks for, the first 1000. */
  readonly damaged: readonly ChunkCheck[];
}

export interface ServerVersion {
  readonly version: string;
  readonly cluster: string | undefined;
}

export type UploadSource = Exclude<WriteSource, { readonly pieces: unknown }>;
