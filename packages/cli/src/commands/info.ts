import type { Entry, FileVersion } from "@cairn/protocol";
import type { Command } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { escapeControls, formatAge, formatBytes, formatCount, formatTime } from "../format.ts";
import { remoteAddress } from "../remote-path.ts";
import { entryResource, versionResource } from "../resource.ts";
import { renderTable } from "../table.ts";

interface InfoCommandOptions {
  readonly versions?: boolean;
}

export function addInfoCommand(program: Command, act: Act): void {
  const command = program
    .command("info")
    .description("Show everything about a file or folder.")
    .argument("<file_id>", "id, beginning of an id, or path")
    .option("--versions", "list its versions as well");
  addExamples(command, [
    ["cairn info f_01j9zk", "sizes, times, copies"],
    ["cairn info /report.pdf --versions", "with all versions"],
  ]);
  act(command, info);
}

async function info(context: CommandContext, options: InfoCommandOptions, address: string): Promise<undefined> {
  const { output, signal } = context;
  const client = await context.client();
  const entry = await client.stat(remoteAddress(address), { signal });
  const versions = options.versions ? await allVersions(context, entry) : undefined;
  switch (output.format) {
    case "json":
      await output.document({
        ...entryResource(entry),
        ...(versions === undefined ? {} : { versions: versions.map(versionResource) }),
      });
      return;
    case "ids":
      await output.line(entry.id);
      return;
    case "plain":
      for (const [name, value] of Object.entries(entryResource(entry)))
        await output.fields([name, String(value ?? "")]);
      for (const it of versions ?? [])
        await output.fields(["versionOf", it.version, it.size, formatTime(it.createdAt)]);
      return;
    case "human":
      for (const [name, value] of describe(entry)) {
        await output.line(`${output.colors.dim(name.padEnd(10))}${escapeControls(value)}`);
      }
      if (versions) await output.line(`\n${versionTable(versions)}`);
  }
}

function describe(entry: Entry): readonly (readonly [string, string])[] {
  const now = Date.now();
  const when = (at: number): string => `${formatAge(at, now)}  (${formatTime(at)})`;
  const file: readonly (readonly [string, string])[] = [
    ["size", `${formatBytes(entry.size)}  (${formatCount(entry.size)} bytes)`],
    ["chunks", `${formatCount(entry.chunks)} · ${entry.copies} copies of each`],
    ["type", entry.contentType ?? "–"],
    ["version", entry.version ?? "–"],
    ["etag", entry.etag ?? "–"],
  ];
  return [
    ["id", entry.id],
    ["path", entry.path],
    ["kind", entry.kind],
    ...(entry.kind === "file" ? file : []),
    ["modified", when(entry.modifiedAt)],
    ["created", when(entry.createdAt)],
    ...(entry.trashedAt === undefined ? [] : ([["trashed", when(entry.trashedAt)]] as const)),
  ];
}

async function allVersions(context: CommandContext, entry: Entry): Promise<readonly FileVersion[]> {
  if (entry.kind === "folder") return [];
  const client = await context.client();
  const versions: FileVersion[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.listVersions(entry.id, { cursor, pageSize: 1000, signal: context.signal });
    versions.push(...page.items);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return versions;
}

function versionTable(versions: readonly FileVersion[]): string {
  const columns = [
    { title: "VERSION" },
    { title: "SIZE", align: "right" },
    { title: "CREATED" },
    { title: "" },
  ] as const;
  const now = Date.now();
  return renderTable(
    columns,
    versions.map((it) => [it.version, formatBytes(it.size), formatAge(it.createdAt, now), it.current ? "current" : ""]),
  );
}
