import { type Entry, isKind } from "@cairn/protocol";
import { type Command, Option } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { exitCodes } from "../exit-codes.ts";
import { asFailure, Failure } from "../failure.ts";
import { escapeControls } from "../format.ts";
import { looksLikeId, remoteAddress, remoteName, remoteParent, remotePath } from "../remote-path.ts";
import { entryResource } from "../resource.ts";
import { Tally } from "../tally.ts";

interface MoveCommandOptions {
  readonly onConflict: "fail" | "rename" | "replace";
}

interface Destination {
  readonly folder: string;
  /** A new name for the one thing that is moved. */
  readonly name: string | undefined;
}

export function addMoveCommand(program: Command, act: Act): void {
  const command = program
    .command("move")
    .alias("mv")
    .description("Move files and folders; to a name that is free, also rename.")
    .argument("<file_id...>", "ids, beginnings of ids, or paths; the last one is the destination")
    .usage("[options] <file_id...> <destination>")
    .addOption(conflictOption());
  addExamples(command, [
    ["cairn move /a.txt /Projects", "into a folder"],
    ["cairn move f_01j9zk f_01j9zm /Archive/", "several"],
    ["cairn move /a.txt /Projects/b.txt", "under a new name"],
  ]);
  act(command, move);
}

/** What move and rename do when the name is taken. */
export function conflictOption(): Option {
  return new Option("--on-conflict <what>", "what to do when the name is taken")
    .choices(["fail", "rename", "replace"])
    .default("fail");
}

async function move(
  context: CommandContext,
  options: MoveCommandOptions,
  named: readonly string[],
): Promise<undefined> {
  const sources = named.slice(0, -1);
  const last = named.at(-1) ?? "";
  if (sources.length === 0) {
    throw new Failure("E_USAGE", "missing required argument 'destination'", { exitCode: exitCodes.usage });
  }
  const destination = await destinationOf(context, last, sources.length);
  const client = await context.client();
  const { output, signal } = context;
  const { onConflict } = options;
  const tally = new Tally(output);
  for (const source of sources) {
    signal.throwIfAborted();
    try {
      const name = destination.name === undefined ? {} : { name: destination.name };
      const entry = await client.move(remoteAddress(source), destination.folder, { ...name, onConflict, signal });
      tally.succeeded();
      await showMoved(context, entry);
    } catch (error) {
      await tally.failedItem(source, asFailure(error));
    }
  }
  if (output.format === "json") {
    await output.document({ type: "summary", moved: sources.length - tally.failed, failed: tally.failed });
  }
  tally.finish();
}

/** A folder that exists takes everything; a path that does not exist is a new name in the folder above it. */
async function destinationOf(context: CommandContext, last: string, sources: number): Promise<Destination> {
  const client = await context.client();
  try {
    const entry = await client.stat(remoteAddress(last), { signal: context.signal });
    if (entry.kind === "folder") return { folder: entry.id, name: undefined };
    if (sources > 1) throw notFolder(entry.path);
    return { folder: remoteParent(entry.path), name: entry.name };
  } catch (error) {
    if (!isKind(error, "not-found") || looksLikeId(last) || last.endsWith("/")) throw error;
    if (sources > 1) throw error;
    const path = remotePath(last);
    return { folder: remoteParent(path), name: remoteName(path) };
  }
}

function notFolder(path: string): Failure {
  return new Failure("E_USAGE", `${path} is a file, not a folder`, {
    exitCode: exitCodes.usage,
    hint: "several things go into a folder only",
  });
}

async function showMoved({ output }: CommandContext, entry: Entry): Promise<void> {
  if (output.format === "json") {
    await output.document({ type: "item", action: "moved", entry: entryResource(entry) });
  } else if (output.format === "ids") await output.line(entry.id);
  else if (output.format === "plain") await output.fields([entry.id, entry.path]);
  else await output.line(`${output.colors.cyan(entry.id)}  ${escapeControls(entry.path)}`);
}
