import { type CairnClient, fileSource, type UploadResult } from "@cairn/client";
import { assert, type Entry, isKind } from "@cairn/protocol";
import type { CommandContext } from "../command-context.ts";
import { asFailure } from "../failure.ts";
import { escapeControls, formatBytes, formatDuration, formatItems } from "../format.ts";
import { type ProgressWanted, TransferProgress } from "../progress.ts";
import { joinRemote } from "../remote-path.ts";
import { Tally } from "../tally.ts";
import { forEachWeighted } from "../weighted-pool.ts";
import { type LocalFile, type LocalItem, type LocalRoot, walkLocal } from "./local-tree.ts";
import { steadyFile } from "./steady-file.ts";
import type { UploadLedger } from "./upload-ledger.ts";
import { showItem, type UploadAction } from "./uploaded-item.ts";

export type UploadConflict = "fail" | "skip" | "rename" | "replace" | "version";

export interface UploadRunOptions {
  /** Path of the folder that everything goes to. */
  readonly folder: string;
  readonly onConflict: UploadConflict;
  /** Files at once; small ones eight times as many. */
  readonly transfers: number;
  readonly dryRun: boolean;
}

/** Files above this take a whole place among the transfers, smaller ones an eighth of one. */
const smallFileBytesMax = 4 * 1_048_576;
const smallPerTransfer = 8;

/** Uploads files and folders and shows what became of each. */
export class UploadRun {
  readonly #context: CommandContext;
  readonly #client: CairnClient;
  readonly #ledger: UploadLedger;
  readonly #options: UploadRunOptions;
  readonly #server: string;
  readonly #tally: Tally;
  readonly #counts = { files: 0, folders: 0, unchanged: 0, skipped: 0, bytes: 0, bytesKnown: 0 };
  readonly #moving = new Map<LocalFile, { done: number; known: number }>();
  #total: { readonly files: number; readonly bytes: number } | undefined;

  constructor(context: CommandContext, parts: UploadRunParts) {
    this.#context = context;
    this.#client = parts.client;
    this.#ledger = parts.ledger;
    this.#server = parts.server;
    this.#options = parts.options;
    this.#tally = new Tally(context.output);
  }

  /** True when something new was stored. Throws a Failure when an item failed; then the others are done. */
  async run(roots: readonly LocalRoot[]): Promise<boolean> {
    const { signal, output, terminal, options } = this.#context;
    using progress = new TransferProgress(output, "Uploading", () => this.#state());
    progress.start(terminal, (options.progress ?? "auto") as ProgressWanted);
    const counting = this.#count(roots);
    const pool = {
      capacity: this.#options.transfers * smallPerTransfer,
      weightOf: (item: LocalItem) => (item.kind === "file" && item.size > smallFileBytesMax ? smallPerTransfer : 1),
      signal,
    };
    await forEachWeighted(this.#inOrder(roots), pool, (item) => this.#take(item));
    await counting;
    progress[Symbol.dispose]();
    await this.#summarise(progress.elapsedMs);
    this.#tally.finish();
    return this.#counts.files + this.#counts.folders - this.#counts.unchanged - this.#counts.skipped > 0;
  }

  /** Folders are made while walking, so that they are there before what is in them. */
  async *#inOrder(roots: readonly LocalRoot[]): AsyncGenerator<LocalItem> {
    for await (const item of walkLocal(roots, this.#options.folder)) {
      if (item.kind === "folder") await this.#makeFolder(item.path, item.remotePath);
      else yield item;
    }
  }

  async #makeFolder(path: string, remotePath: string): Promise<void> {
    this.#counts.folders++;
    if (this.#options.dryRun) return;
    try {
      await this.#client.createFolder(remotePath, { parents: true, signal: this.#context.signal });
    } catch (error) {
      await this.#tally.failedItem(path, asFailure(error));
    }
  }

  async #take(item: LocalItem): Promise<void> {
    if (item.kind === "link") return this.#skipLink(item.path);
    if (item.kind === "failed") return this.#tally.failedItem(item.path, item.failure);
    if (item.kind === "folder") return;
    try {
      await this.#uploadFile(item);
      this.#tally.succeeded();
    } catch (error) {
      this.#context.signal.throwIfAborted();
      await this.#tally.failedItem(item.path, asFailure(error));
    } finally {
      this.#moving.delete(item);
    }
  }

  async #uploadFile(file: LocalFile): Promise<void> {
    const target = joinRemote(file.remoteFolder, file.name);
    const { onConflict, dryRun } = this.#options;
    const there = onConflict === "skip" ? await this.#find(target) : undefined;
    if (there) return this.#finish(file, "skipped", there);
    if (dryRun) return this.#finish(file, "planned", undefined);
    const { entry, changed, bytesKnown } = await this.#send(file, target);
    this.#counts.bytesKnown += bytesKnown;
    await this.#finish(file, changed ? "uploaded" : "unchanged", entry);
  }

  async #send(file: LocalFile, target: string): Promise<UploadResult> {
    const { onConflict } = this.#options;
    const { path, size, modifiedAt } = file;
    const source = await fileSource(path);
    assert("open" in source, "a file can be read from any byte on");
    const moving = { done: 0, known: 0 };
    this.#moving.set(file, moving);
    return this.#client.upload(
      steadyFile(file, source.open),
      {
        folder: file.remoteFolder,
        name: file.name,
        onConflict: onConflict === "skip" ? "fail" : onConflict,
        modifiedAt,
      },
      {
        signal: this.#context.signal,
        resume: this.#ledger.storeFor({ server: this.#server, path, size, modifiedAt, target }),
        onProgress: ({ bytesDone, bytesKnown }) => {
          moving.done = bytesDone;
          moving.known = bytesKnown;
        },
      },
    );
  }

  async #find(path: string): Promise<Entry | undefined> {
    try {
      return await this.#client.stat(path, { signal: this.#context.signal });
    } catch (error) {
      if (isKind(error, "not-found")) return undefined;
      throw error;
    }
  }

  async #finish(file: LocalFile, action: UploadAction, entry: Entry | undefined): Promise<void> {
    this.#moving.delete(file);
    this.#counts.files++;
    this.#counts.bytes += file.size;
    if (action === "unchanged") this.#counts.unchanged++;
    if (action === "skipped") this.#counts.skipped++;
    const target = entry?.path ?? joinRemote(file.remoteFolder, file.name);
    await showItem(this.#context, { action, source: file.path, target, size: file.size, entry });
  }

  async #skipLink(path: string): Promise<void> {
    if (this.#context.output.format === "json") {
      await this.#context.output.document({ type: "item", action: "skipped", source: path, reason: "symbolic link" });
    } else {
      this.#context.output.note(`Skipped ${escapeControls(path)}: a symbolic link`);
    }
  }

  #state() {
    let [bytesDone, bytesKnown] = [this.#counts.bytes, this.#counts.bytesKnown];
    for (const { done, known } of this.#moving.values()) {
      bytesDone += done;
      bytesKnown += known;
    }
    const { files } = this.#counts;
    return { bytesDone, bytesKnown, bytesTotal: this.#total?.bytes, filesDone: files, filesTotal: this.#total?.files };
  }

  /** Walks once more, ahead of the uploads, so that the progress knows its end without keeping every name in memory. */
  async #count(roots: readonly LocalRoot[]): Promise<void> {
    let [files, bytes] = [0, 0];
    for await (const item of walkLocal(roots, "/")) {
      if (this.#context.signal.aborted) return;
      if (item.kind !== "file") continue;
      files++;
      bytes += item.size;
    }
    this.#total = { files, bytes };
  }

  async #summarise(elapsedMs: number): Promise<void> {
    const { output } = this.#context;
    const { files, folders, bytes, bytesKnown, unchanged, skipped } = this.#counts;
    if (output.format === "json") {
      const seconds = Math.round(elapsedMs) / 1000;
      const { failed } = this.#tally;
      const summary = { type: "summary", files, folders, bytes, bytesKnown, unchanged, skipped, failed, seconds };
      await output.document({ ...summary, dryRun: this.#options.dryRun });
      return;
    }
    if (this.#options.dryRun) {
      output.note(`Would upload ${formatItems(files - skipped, "file")}, ${formatBytes(bytes)}. Nothing was changed.`);
      return;
    }
    const known = bytesKnown > 0 ? ` (${formatBytes(bytesKnown)} were there already)` : "";
    const speed = elapsedMs > 0 ? ` at ${formatBytes(Math.round((bytes - bytesKnown) / (elapsedMs / 1000)))}/s` : "";
    const stored = files - skipped - unchanged;
    const rest = [
      ...(unchanged > 0 ? [`${formatItems(unchanged, "file")} there already`] : []),
      ...(skipped > 0 ? [`${formatItems(skipped, "file")} skipped`] : []),
    ];
    const what = stored > 0 || rest.length === 0 ? [`Uploaded ${formatItems(stored, "file")}`, ...rest] : rest;
    output.note(`${what.join(", ")} · ${formatBytes(bytes)}${known} in ${formatDuration(elapsedMs)}${speed}.`);
  }
}

export interface UploadRunParts {
  readonly client: CairnClient;
  readonly ledger: UploadLedger;
  readonly server: string;
  readonly options: UploadRunOptions;
}
