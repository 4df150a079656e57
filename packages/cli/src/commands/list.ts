import type { Entry } from "@cairn/protocol";
import { type Command, Option } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { EntryTable, entryFields } from "../entry-table.ts";
import { addExamples } from "../examples.ts";
import { remoteAddress } from "../remote-path.ts";
import { entryResource } from "../resource.ts";

interface ListCommandOptions {
  readonly long?: boolean;
  readonly recursive?: boolean;
  readonly sort: "name" | "modified" | "-modified";
}

const pageSize = 1000;

export function addListCommand(program: Command, act: Act): void {
  const command = program
    .command("list")
    .alias("ls")
    .description("List a folder.")
    .argument("[path]", "path or id of a folder or file", "/")
    .option("-l, --long", "show exact sizes and times, chunks and versions")
    .option("-r, --recursive", "list everything below as well, with whole paths")
    .addOption(
      new Option("--sort <key>", "by name, or newest change first")
        .choices(["name", "modified", "-modified"])
        .default("name"),
    );
  addExamples(command, [
    ["cairn list", "the root of the drive"],
    ["cairn list /photos --sort modified", "newest first"],
    ["cairn list /photos -q", "ids only, one a line"],
    ["cairn list / --recursive --json", "everything, for a program"],
  ]);
  act(command, list);
}

async function list(context: CommandContext, options: ListCommandOptions, address: string): Promise<undefined> {
  const client = await context.client();
  const entry = await client.stat(remoteAddress(address), { signal: context.signal });
  const pages = entry.kind === "file" ? onePage(entry) : pagesBelow(context, options, entry);
  const { output } = context;
  switch (output.format) {
    case "json":
      return listJson(context, pages);
    case "ids":
      for await (const page of pages) await output.data(page.map(({ id }) => `${id}\n`).join(""));
      return;
    case "plain":
      for await (const page of pages) {
        for (const item of page) await output.fields(entryFields(item, options.recursive ? item.path : item.name));
      }
      return;
    case "human": {
      const paths = options.recursive ?? false;
      const table = new EntryTable(output, { paths, long: options.long ?? false, now: Date.now() });
      let empty = true;
      for await (const page of pages) {
        if (page.length > 0) empty = false;
        await table.page(page);
      }
      if (empty) output.note(`Nothing here yet. Store something with: cairn upload <path>`);
    }
  }
}

/** One document, written piece by piece so that a folder of any size fits into memory. */
async function listJson({ output }: CommandContext, pages: AsyncIterable<readonly Entry[]>): Promise<undefined> {
  await output.data('{"items":[');
  let count = 0;
  for await (const page of pages) {
    if (page.length === 0) continue;
    const items = page.map((entry) => JSON.stringify(entryResource(entry))).join(",");
    await output.data(`${count === 0 ? "" : ","}${items}`);
    count += page.length;
  }
  await output.data(`],"totalCount":${count}}\n`);
}

async function* onePage(entry: Entry): AsyncGenerator<readonly Entry[]> {
  yield [entry];
}

async function* pagesBelow(
  context: CommandContext,
  options: ListCommandOptions,
  folder: Entry,
): AsyncGenerator<readonly Entry[]> {
  const client = await context.client();
  const orderBy = options.sort === "name" ? "name" : "modified";
  const folders: Entry[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.list(folder.id, { pageSize, cursor, orderBy, signal: context.signal });
    yield page.items;
    if (options.recursive) folders.push(...page.items.filter(({ kind }) => kind === "folder"));
    cursor = page.cursor;
  } while (cursor !== undefined);
  for (const below of folders) yield* pagesBelow(context, options, below);
}
