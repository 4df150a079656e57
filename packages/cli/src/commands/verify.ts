import type { ChunkCheck, VerifyReport } from "@cairn/client";
import type { Command } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { exitCodes } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { escapeControls, formatBytes, formatCount, formatDuration, formatItems } from "../format.ts";
import { TransferProgress } from "../progress.ts";
import { remoteAddress } from "../remote-path.ts";
import { entryResource } from "../resource.ts";

export function addVerifyCommand(program: Command, act: Act): void {
  const command = program
    .command("verify")
    .description("Read and check every copy of every chunk of a file.")
    .argument("<file_id>", "id, beginning of an id, or path");
  addExamples(command, [["cairn verify f_01j9zk", "ends with 10 when a copy is damaged or missing"]]);
  act(command, verify);
}

async function verify(context: CommandContext, _options: unknown, address: string): Promise<undefined> {
  const { output, signal } = context;
  const client = await context.client();
  const state = { bytesDone: 0, bytesTotal: undefined, bytesKnown: 0, filesDone: 0, filesTotal: 1 };
  using progress = new TransferProgress(output, "Verifying", () => state);
  progress.start(context.terminal, context.options.progress ?? "auto");
  const report = await client.verify(remoteAddress(address), {
    signal,
    onProgress: ({ bytesDone, bytesTotal }) => Object.assign(state, { bytesDone, bytesTotal }),
  });
  progress[Symbol.dispose]();
  await show(context, report, progress.elapsedMs);
  const failure = failureOf(report);
  if (failure) throw failure;
}

async function show({ output }: CommandContext, report: VerifyReport, elapsedMs: number): Promise<void> {
  const { entry, chunks, copies, chunksWithoutCopy, damaged } = report;
  switch (output.format) {
    case "json":
      for (const check of damaged) await output.document({ type: "item", ...check });
      await output.document({ type: "summary", entry: entryResource(entry), chunks, copies, chunksWithoutCopy });
      return;
    case "ids":
      await output.line(entry.id);
      return;
    case "plain":
      for (const [name, count] of Object.entries(copies)) await output.fields([name, count]);
      return;
    case "human":
      for (const check of damaged) await output.line(describeDamage(check));
      await output.line(
        `${escapeControls(entry.path)}: ${formatItems(chunks, "chunk")}, ${formatBytes(entry.size)} · ${describeCopies(report)}`,
      );
      output.note(`Every copy was read and checked in ${formatDuration(elapsedMs)}.`);
  }
}

function describeDamage({ index, offset, length, id, copies }: ChunkCheck): string {
  const states = copies.map(({ node, state }) => `${node} ${state}`).join(", ");
  return `chunk ${index} at byte ${formatCount(offset)} (${formatBytes(length)}, ${id.slice(0, 8)}): ${states}`;
}

function describeCopies({ copies }: VerifyReport): string {
  const wrong = (["corrupt", "missing", "unreachable"] as const).filter((state) => copies[state] > 0);
  return [
    `${formatItems(copies.ok, "good copy").replace("copys", "copies")}`,
    ...wrong.map((state) => `${formatCount(copies[state])} ${state}`),
  ].join(", ");
}

function failureOf({ copies, chunksWithoutCopy, entry }: VerifyReport): Failure | undefined {
  if (copies.corrupt + copies.missing + (copies.unreachable === 0 ? chunksWithoutCopy : 0) > 0) {
    const exitCode = exitCodes.corrupt;
    const hint = `see which nodes are concerned with \`cairn file map ${entry.id}\``;
    return new Failure("E_CORRUPT", "some copies are damaged or missing", { exitCode, hint });
  }
  if (copies.unreachable === 0) return undefined;
  return new Failure("E_UNREACHABLE", "some copies could not be reached", {
    exitCode: exitCodes.unreachable,
    hint: "see which nodes are down with `cairn status`",
  });
}
