import type { Entry } from "@cairn/protocol";
import type { CommandContext } from "./command-context.ts";

/** Everything in the trash, page by page. */
export async function* trashedEntries(context: CommandContext): AsyncGenerator<Entry> {
  const client = await context.client();
  let cursor: string | undefined;
  do {
    const page = await client.listTrash({ cursor, pageSize: 1000, signal: context.signal });
    yield* page.items;
    cursor = page.cursor;
  } while (cursor !== undefined);
}
