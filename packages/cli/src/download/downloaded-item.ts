import type { Entry } from "@cairn/protocol";
import type { CommandContext } from "../command-context.ts";
import { escapeControls } from "../format.ts";
import { relativeBelow } from "../places.ts";
import { entryResource } from "../resource.ts";

/** What became of one file. */
export interface DownloadedItem {
  readonly action: "downloaded" | "unchanged";
  readonly entry: Entry;
  /** Where it stands on this machine. */
  readonly output: string;
}

export async function showDownload({ output, terminal }: CommandContext, item: DownloadedItem): Promise<void> {
  const { action, entry } = item;
  const shown = relativeBelow(terminal.cwd, item.output);
  switch (output.format) {
    case "json":
      await output.document({ type: "item", action, output: item.output, entry: entryResource(entry) });
      return;
    case "ids":
      await output.line(entry.id);
      return;
    case "plain":
      await output.fields([entry.id, shown, entry.size, action]);
      return;
    case "human": {
      const remark = action === "unchanged" ? output.colors.dim("  (there already)") : "";
      await output.line(`${output.colors.cyan(entry.id)}  ${escapeControls(shown)}${remark}`);
    }
  }
}
