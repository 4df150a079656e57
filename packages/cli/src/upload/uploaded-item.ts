import type { Entry } from "@cairn/protocol";
import type { CommandContext } from "../command-context.ts";
import { escapeControls } from "../format.ts";
import { entryResource } from "../resource.ts";

/** What became of one file. */
export type UploadAction = "uploaded" | "unchanged" | "skipped" | "planned";

export interface UploadedItem {
  readonly action: UploadAction;
  /** Where it came from: a path, or `-`. */
  readonly source: string;
  readonly target: string;
  readonly size: number;
  readonly entry: Entry | undefined;
}

/** Tells what became of one file. */
export async function showItem({ output }: CommandContext, item: UploadedItem): Promise<void> {
  const { action, source, target, size, entry } = item;
  switch (output.format) {
    case "json":
      await output.document({ type: "item", action, source, path: target, entry: entry && entryResource(entry) });
      return;
    case "ids":
      if (entry) await output.line(entry.id);
      return;
    case "plain":
      await output.fields([entry?.id ?? "", target, size, action]);
      return;
    case "human": {
      const name = escapeControls(target);
      const remark = action === "uploaded" ? "" : output.colors.dim(`  (${action})`);
      await output.line(entry ? `${output.colors.cyan(entry.id)}  ${name}${remark}` : `would upload  ${name}`);
    }
  }
}
