import { mkdir } from "node:fs/promises";
import type { CairnClient } from "@cairn/client";
import type { Entry } from "@cairn/protocol";
import type { CommandContext } from "../command-context.ts";
import { asFailure } from "../failure.ts";
import { formatBytes, formatDuration, formatItems } from "../format.ts";
import { TransferProgress } from "../progress.ts";
import { Tally } from "../tally.ts";
import { forEachWeighted } from "../weighted-pool.ts";
import { showDownload } from "./downloaded-item.ts";
import { downloadFile } from "./file-download.ts";
import { type RemoteItem, walkRemote } from "./remote-tree.ts";

const smallFileBytesMax = 4 * 1_048_576;
const smallPerTransfer = 8;

export interface FolderDownloadOptions {
  readonly force: boolean;
  /** Large files at once; small ones eight times as many. */
  readonly transfers: number;
}

/** Brings a folder with everything below it to this machine; run again, it goes on where it stopped. */
export class FolderDownload {
  readonly #context: CommandContext;
  readonly #client: CairnClient;
  readonly #options: FolderDownloadOptions;
  readonly #tally: Tally;
  readonly #counts = { files: 0, folders: 0, unchanged: 0, bytes: 0, bytesKnown: 0 };
  readonly #moving = new Map<Entry, { done: number; known: number }>();
  #total: { readonly files: number; readonly bytes: number } | undefined;

  constructor(context: CommandContext, client: CairnClient, options: FolderDownloadOptions) {
    this.#context = context;
    this.#client = client;
    this.#options = options;
    this.#tally = new Tally(context.output);
  }

  /** Throws a Failure when an item failed; then the others are done. */
  async run(place: { readonly entry: Entry; readonly output: string }): Promise<void> {
    const { signal, output, terminal, options } = this.#context;
    using progress = new TransferProgress(output, "Downloading", () => this.#state());
    progress.start(terminal, options.progress ?? "auto");
    const pool = {
      capacity: this.#options.transfers * smallPerTransfer,
      weightOf: (item: RemoteItem) =>
        item.kind === "file" && item.entry.size > smallFileBytesMax ? smallPerTransfer : 1,
      signal,
    };
    // The totals are for people only: what hinders the counting hinders the download itself, which tells it.
    const counting = this.#count(place).catch(() => undefined);
    await forEachWeighted(this.#inOrder(place), pool, (item) => this.#take(item));
    await counting;
    progress[Symbol.dispose]();
    await this.#summarise(progress.elapsedMs);
    this.#tally.finish();
  }

  /** Folders are made while walking, so that they are there before what is in them. */
  async *#inOrder(place: { readonly entry: Entry; readonly output: string }): AsyncGenerator<RemoteItem> {
    for await (const item of walkRemote(this.#client, place, this.#context.signal)) {
      if (item.kind !== "folder") {
        yield item;
        continue;
      }
      await mkdir(item.output, { recursive: true });
      this.#counts.folders++;
    }
  }

  async #take(item: RemoteItem): Promise<void> {
    if (item.kind === "failed") return this.#tally.failedItem(item.entry.path, item.failure);
    if (item.kind === "folder") return;
    const { entry, output } = item;
    const moving = { done: 0, known: 0 };
    this.#moving.set(entry, moving);
    try {
      const action = await downloadFile(this.#client, item, {
        force: this.#options.force,
        signal: this.#context.signal,
        onProgress: (done, known) => Object.assign(moving, { done, known }),
      });
      this.#counts.files++;
      this.#counts.bytes += entry.size;
      this.#counts.bytesKnown += moving.known;
      if (action === "unchanged") this.#counts.unchanged++;
      this.#moving.delete(entry);
      this.#tally.succeeded();
      await showDownload(this.#context, { action, entry, output });
    } catch (error) {
      this.#moving.delete(entry);
      this.#context.signal.throwIfAborted();
      await this.#tally.failedItem(entry.path, asFailure(error));
    }
  }

  async #count(place: { readonly entry: Entry; readonly output: string }): Promise<void> {
    let [files, bytes] = [0, 0];
    for await (const { kind, entry } of walkRemote(this.#client, place, this.#context.signal)) {
      if (kind !== "file") continue;
      files++;
      bytes += entry.size;
    }
    this.#total = { files, bytes };
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

  async #summarise(elapsedMs: number): Promise<void> {
    const { output } = this.#context;
    const { files, folders, unchanged, bytes, bytesKnown } = this.#counts;
    if (output.format === "json") {
      const seconds = Math.round(elapsedMs) / 1000;
      const counts = { files, folders, unchanged, bytes, bytesKnown, failed: this.#tally.failed, seconds };
      await output.document({ type: "summary", ...counts });
      return;
    }
    const known = bytesKnown > 0 ? ` (${formatBytes(bytesKnown)} were there already)` : "";
    output.note(
      `Downloaded ${formatItems(files, "file")}, ${formatBytes(bytes)}${known} in ${formatDuration(elapsedMs)}.`,
    );
  }
}
