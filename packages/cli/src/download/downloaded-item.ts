import type { Entry } from "@cairn/protocol";
import { escapeControls } from "../format.ts";
import type { Output } from "../output.ts";
import { entryResource } from "../resource.ts";

/** What became of one file. */
export interface DownloadedItem {
  readonly action: "downloaded" | "unchanged";
  readonly entry: Entry;
  /** Where it stands on this machine. */
  readonly output: string;
}

export async function showDownload(output: Output, item: DownloadedItem): Promise<void> {
  const { action, entry } = item;
  switch (output.format) {
    case "json":
      await output.document({ type: "item", action, output: item.output, entry: entryResource(entry) });
      return;
    case "ids":
      await output.line(entry.id);
      return;
    case "plain":
      await output.fields([entry.id, item.output, entry.size, action]);
      return;
    case "human": {
      const remark = action === "unchanged" ? output.colors.dim("  (there already)") : "";
      await output.line(`${output.colors.cyan(entry.id)}  ${escapeControls(item.output)}${remark}`);
    }
  }
}
