import type { Entry } from "@cairn/protocol";
import { escapeControls } from "./format.ts";
import type { Output } from "./output.ts";
import { entryResource } from "./resource.ts";

/** Shows one entry as the answer of a short command: its resource with --json, else id and path. */
export async function showEntry(output: Output, entry: Entry): Promise<void> {
  switch (output.format) {
    case "json":
      return output.document(entryResource(entry));
    case "ids":
      return output.line(entry.id);
    case "plain":
      return output.fields([entry.id, entry.path]);
    case "human":
      return output.line(`${output.colors.cyan(entry.id)}  ${escapeControls(entry.path)}`);
  }
}
