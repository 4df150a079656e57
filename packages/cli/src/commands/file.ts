import type { ChunkPlacement, CopyState, Entry, NodeId } from "@cairn/protocol";
import type { Command } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { usageFailure } from "../failure.ts";
import { FileMap } from "../file-map.ts";
import { remoteAddress } from "../remote-path.ts";
import { chunkResource, entryResource } from "../resource.ts";

interface FileMapOptions {
  readonly all?: boolean;
}

export function addFileCommand(program: Command, act: Act): void {
  const file = program.command("file").description("See where a file is stored.");
  addExamples(file, [["cairn file map /video.mov", "which node holds which chunk"]]);
  const map = file
    .command("map")
    .description("Show every chunk of a file and the nodes that hold it.")
    .argument("<file_id>", "id, beginning of an id, or path")
    .option("-a, --all", "show all chunks of a large file");
  addExamples(map, [["cairn file map /video.mov", "which node holds which chunk"]]);
  act(map, mapFile);
}

async function mapFile(context: CommandContext, options: FileMapOptions, address: string): Promise<undefined> {
  const { output, signal } = context;
  const client = await context.client();
  const entry = await client.stat(remoteAddress(address), { signal });
  if (entry.kind === "folder") throw usageFailure(`${entry.path} is a folder`, "name a file in it: `cairn list`");
  const nodes = (await client.nodes({ signal })).map(({ node }) => node);
  const chunks = client.map(entry.id, { signal });
  if (output.format === "human") return showMap(context, { entry, nodes, chunks, all: options.all ?? false });
  const states: Record<CopyState, number> = { ok: 0, suspect: 0, down: 0, corrupt: 0, missing: 0 };
  let count = 0;
  for await (const chunk of chunks) {
    count++;
    for (const { state } of chunk.copies) states[state]++;
    if (output.format === "json") await output.document({ type: "item", ...chunkResource(chunk) });
    else if (output.format === "ids") await output.line(chunk.id);
    else await output.fields([chunk.index, chunk.offset, chunk.length, chunk.id, ...chunk.copies.map(describeCopy)]);
  }
  if (output.format === "json") {
    await output.document({ type: "summary", entry: entryResource(entry), nodes, chunks: count, copies: states });
  }
}

function describeCopy({ node, state }: ChunkPlacement["copies"][number]): string {
  return `${node}:${state}`;
}

async function showMap(context: CommandContext, parts: FileMapParts): Promise<undefined> {
  const { output } = context;
  const map = new FileMap(parts.entry, parts.nodes, output.colors);
  await output.line(map.heading());
  for await (const chunk of parts.chunks) {
    const row = map.row(chunk);
    if (parts.all || chunk.index < FileMap.rowsShown) await output.line(row);
  }
  for (const line of map.ending(parts.all)) await output.line(line);
}

interface FileMapParts {
  readonly entry: Entry;
  readonly nodes: readonly NodeId[];
  readonly chunks: AsyncIterable<ChunkPlacement>;
  readonly all: boolean;
}
