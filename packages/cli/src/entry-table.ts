import type { Entry } from "@cairn/protocol";
import { escapeControls, formatAge, formatBytes, formatTime } from "./format.ts";
import type { Output } from "./output.ts";
import { type Cell, type Column, renderTable } from "./table.ts";

export interface EntryTableOptions {
  /** Shows the whole path in place of the name. */
  readonly paths?: boolean;
  /** Adds kind, chunks and version, and exact sizes and times. */
  readonly long?: boolean;
  /** Wall clock, ms. */
  readonly now: number;
}

/** Writes entries page by page for people; the heading stands before the first page only. */
export class EntryTable {
  readonly #output: Output;
  readonly #options: EntryTableOptions;
  #nameWidth = 0;
  #written = false;

  constructor(output: Output, options: EntryTableOptions) {
    this.#output = output;
    this.#options = options;
  }

  async page(entries: readonly Entry[]): Promise<void> {
    if (entries.length === 0) return;
    const heading = this.#written ? 0 : 1;
    this.#written = true;
    const text = renderTable(
      this.#columns(),
      entries.map((entry) => this.#row(entry)),
    );
    const lines = text.split("\n");
    // A table always has its heading; on later pages it would only be in the way.
    const shown = heading === 1 ? [this.#output.colors.dim(lines[0] ?? ""), ...lines.slice(1)] : lines.slice(1);
    await this.#output.line(shown.join("\n"));
  }

  #columns(): readonly Column[] {
    const name = { title: (this.#options.paths ? "PATH" : "NAME").padEnd(this.#nameWidth) };
    const size: Column = { title: "SIZE", align: "right" };
    const copies: Column = { title: "COPIES", align: "right" };
    const modified = { title: "MODIFIED" };
    if (!this.#options.long) return [{ title: "ID" }, name, size, copies, modified];
    return [{ title: "ID" }, name, size, copies, { title: "CHUNKS", align: "right" }, modified, { title: "VERSION" }];
  }

  #row(entry: Entry): readonly (string | Cell)[] {
    const { colors } = this.#output;
    const name = `${this.#options.paths ? entry.path : entry.name}${entry.kind === "folder" ? "/" : ""}`;
    this.#nameWidth = Math.max(this.#nameWidth, Math.min(60, escapeControls(name).length));
    const painted = { text: name, paint: entry.kind === "folder" ? colors.blue : (text: string) => text };
    const copies = entry.kind === "folder" ? "–" : String(entry.copies);
    const id = { text: entry.id, paint: colors.cyan };
    if (!this.#options.long) {
      const size = entry.kind === "folder" ? "–" : formatBytes(entry.size);
      return [id, painted, size, copies, formatAge(entry.modifiedAt, this.#options.now)];
    }
    const size = entry.kind === "folder" ? "–" : String(entry.size);
    const chunks = entry.kind === "folder" ? "–" : String(entry.chunks);
    return [id, painted, size, copies, chunks, formatTime(entry.modifiedAt), entry.version ?? "–"];
  }
}

/** The fields of an entry for --plain: id, name, bytes, copies, time, kind. */
export function entryFields(entry: Entry, name: string): readonly (string | number)[] {
  return [entry.id, name, entry.size, entry.copies, formatTime(entry.modifiedAt), entry.kind];
}
