import CliTable from "cli-table3";
import { escapeControls } from "./format.ts";

/** One column of a table for people. */
export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
}

/** A cell: its text as it is, and how it is painted once its width is known. */
export interface Cell {
  readonly text: string;
  readonly paint: (text: string) => string;
}

/** Aligned columns without a frame, two spaces between them, no spaces at the ends of lines. Controls in cells are spelled out. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly (string | Cell)[])[]): string {
  const table = new CliTable({
    head: columns.map((column) => column.title),
    colAligns: columns.map((column) => column.align ?? "left"),
    chars: noFrame,
    style: { head: [], border: [], "padding-left": 0, "padding-right": 2 },
  });
  table.push(...rows.map((row) => row.map(paintedCell)));
  return table
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

function paintedCell(cell: string | Cell): string {
  return typeof cell === "string" ? escapeControls(cell) : cell.paint(escapeControls(cell.text));
}

const noFrame = Object.fromEntries(
  ["top", "bottom", "left", "right"]
    .flatMap((side) => [side, `${side}-mid`, `${side}-left`, `${side}-right`])
    .concat("mid", "mid-mid", "middle")
    .map((name) => [name, ""]),
);
