import type { ChunkPlacement, CopyState, Entry, NodeId } from "@cairn/protocol";
import { escapeControls, formatBytes, formatItems } from "./format.ts";
import type { Colors } from "./terminal.ts";

const glyphs: Record<CopyState, string> = { ok: "█", suspect: "▒", down: "░", missing: "○", corrupt: "✕" };

/** A file as a matrix for people: a row for each chunk, a column for each node, a mark for each copy. */
export class FileMap {
  /** Rows that are shown unless all are wanted. */
  static readonly rowsShown: number = 40;
  readonly #entry: Entry;
  readonly #nodes: readonly NodeId[];
  readonly #colors: Colors;
  readonly #widths: readonly number[];
  readonly #seen = new Map<CopyState, number>();
  #chunks = 0;
  #whole = 0;

  constructor(entry: Entry, nodes: readonly NodeId[], colors: Colors) {
    this.#entry = entry;
    this.#nodes = nodes;
    this.#colors = colors;
    this.#widths = nodes.map((node) => Math.max(node.length, 3));
  }

  heading(): string {
    const { path, size, chunks, copies } = this.#entry;
    const facts = `${formatBytes(size)} · ${formatItems(chunks, "chunk")} · ${copies} ${copies === 1 ? "copy" : "copies"} of each`;
    const nodes = this.#nodes.map((node, index) => node.padEnd(this.#widths[index] ?? 0));
    const columns = `${"chunk".padStart(7)}  ${"offset".padStart(9)}  ${"size".padStart(9)}  ${"id".padEnd(8)}   ${nodes.join("  ")}`;
    return `${escapeControls(path)}   ${facts}\n\n${this.#colors.dim(columns.trimEnd())}`;
  }

  /** Counts the chunk and draws its row. */
  row(chunk: ChunkPlacement): string {
    this.#chunks++;
    for (const { state } of chunk.copies) this.#seen.set(state, (this.#seen.get(state) ?? 0) + 1);
    if (chunk.copies.filter(({ state }) => state === "ok").length >= this.#entry.copies) this.#whole++;
    const cells = this.#nodes.map((node, index) => {
      const copy = chunk.copies.find((it) => it.node === node);
      const width = this.#widths[index] ?? 0;
      return copy ? this.#paint(copy.state, glyphs[copy.state].repeat(3)) + " ".repeat(width - 3) : this.#none(width);
    });
    const place = `${String(chunk.index).padStart(7)}  ${formatBytes(chunk.offset).padStart(9)}  ${formatBytes(chunk.length).padStart(9)}`;
    return `${place}  ${chunk.id.slice(0, 8)}   ${cells.join("  ")}`.trimEnd();
  }

  /** What was left out, the legend, and the sum. */
  ending(all: boolean): readonly string[] {
    const hidden = all ? 0 : Math.max(0, this.#chunks - FileMap.rowsShown);
    const legend = (Object.keys(glyphs) as CopyState[])
      .filter((state) => state === "ok" || this.#seen.has(state))
      .map((state) => `${this.#paint(state, glyphs[state])} ${state}`);
    const whole = this.#whole === this.#chunks ? "all" : `${this.#whole} of ${this.#chunks}`;
    return [
      ...(hidden > 0 ? [this.#colors.dim(`        … ${formatItems(hidden, "more chunk")}: --all`)] : []),
      "",
      `${legend.join("   ")}   ${this.#colors.dim("·")} none`,
      `${formatItems(this.#chunks, "chunk")}, ${whole} with every copy readable`,
    ];
  }

  #none(width: number): string {
    return this.#colors.dim(" · ") + " ".repeat(width - 3);
  }

  #paint(state: CopyState, text: string): string {
    const { green, yellow, red } = this.#colors;
    return { ok: green, suspect: yellow, down: yellow, missing: red, corrupt: red }[state](text);
  }
}
