import type { RepairStatus } from "@cairn/protocol";
import { type Command, InvalidArgumentError } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { formatBytes, formatDuration, parseBytes } from "../format.ts";
import { repairDocument } from "../operations/documents.ts";
import { describeRepair } from "../operations/job-text.ts";
import { renderTable } from "../table.ts";

const mebibyte = 1024 ** 2;
/** Bytes per second and disk. */
const speeds: Readonly<Record<string, number>> = {
  gentle: 10 * mebibyte,
  balanced: 50 * mebibyte,
  fast: 500 * mebibyte,
};

export function addRepairCommand(program: Command, act: Act): void {
  const repair = program.command("repair").description("See and steer how lost copies are made again.");
  addExamples(repair, [["cairn repair status", "what is being copied, and what waits for what"]]);
  const status = repair.command("status").description("Show what is being copied, and what waits for what.");
  addExamples(status, [["cairn repair status", "with rate and time left"]]);
  act(status, (context) => change(context, {}));
  for (const [verb, description, value] of [
    ["pause", "Repair and move nothing until it is resumed.", 1],
    ["resume", "Go on with repair and moves.", 0],
  ] as const) {
    const command = repair.command(verb).description(description);
    addExamples(command, [
      [`cairn repair ${verb}`, value === 1 ? "while the network is needed for something else" : "go on"],
    ]);
    act(command, (context) => change(context, { "repair.paused": value }));
  }
  const speed = repair
    .command("speed")
    .description("Set how much repair and moves may write to one disk in a second.")
    .argument("<speed>", "gentle (10 MiB/s), balanced (50 MiB/s), fast (500 MiB/s), or a rate", speedValue);
  addExamples(speed, [
    ["cairn repair speed gentle", "while people work"],
    ["cairn repair speed 120MiB", "per second and disk"],
  ]);
  act(speed, (context, _options: unknown, rate: number) => change(context, { "repair.rate": rate }));
}

function speedValue(text: string): number {
  const rate = speeds[text] ?? parseBytes(text.replace(/\/s$/i, ""));
  if (rate === undefined) throw new InvalidArgumentError("It is gentle, balanced, fast, or a rate such as 120MiB.");
  return rate;
}

async function change(context: CommandContext, settings: Readonly<Record<string, number>>): Promise<undefined> {
  const { operations } = await context.client();
  if (Object.keys(settings).length > 0) await operations.changeSettings(settings, { signal: context.signal });
  await print(context, await operations.repairStatus({ signal: context.signal }));
}

async function print({ output }: CommandContext, repair: RepairStatus): Promise<void> {
  switch (output.format) {
    case "json":
      return output.document(repairDocument(repair));
    case "ids":
      return;
    case "plain":
      await output.fields(["state", repair.state]);
      await output.fields(["groupsWaiting", repair.groupsWaiting]);
      await output.fields(["groupsMoving", repair.groupsMoving]);
      await output.fields(["doneBytes", repair.doneBytes]);
      await output.fields(["totalBytes", repair.totalBytes]);
      return;
    case "human":
      await output.line(describeRepair(repair));
      if (repair.moves.length > 0) await output.line(moveTable(repair));
  }
}

function moveTable({ moves }: RepairStatus): string {
  const now = Date.now();
  const columns = [
    { title: "GROUP", align: "right" },
    { title: "WHY" },
    { title: "FROM", align: "right" },
    { title: "TO", align: "right" },
    { title: "COPIED", align: "right" },
    { title: "OF", align: "right" },
    { title: "SINCE" },
  ] as const;
  return renderTable(
    columns,
    moves.map((move) => [
      String(move.group),
      move.reason,
      move.from === undefined ? "–" : `disk ${move.from}`,
      `disk ${move.to}`,
      formatBytes(move.doneBytes),
      formatBytes(move.totalBytes),
      formatDuration(Math.max(0, now - move.startedAt)),
    ]),
  );
}
