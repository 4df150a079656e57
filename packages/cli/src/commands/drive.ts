import type { Drive } from "@cairn/protocol";
import type { Command } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { exitCodes } from "../exit-codes.ts";
import { Failure } from "../failure.ts";
import { addChangeOptions, type ChangeOptions, runChange } from "../operations/change-run.ts";
import { countValue } from "../option-values.ts";

export function addDriveCommand(program: Command, act: Act): void {
  const drive = program.command("drive").description("Change how a drive keeps its data.");
  addExamples(drive, [["cairn drive copies 3", "three copies of everything"]]);
  const copies = drive
    .command("copies")
    .description("Change how many copies of each chunk there are, while the cluster runs.")
    .argument("<count>", "copies on distinct nodes", countValue);
  addChangeOptions(copies, { isJob: true });
  addExamples(copies, [
    ["cairn drive copies 3 --dry-run", "what it costs"],
    ["cairn drive copies 3 --yes --detach", "new data at once, old data in the background"],
  ]);
  act(copies, changeCopies);
}

async function changeCopies(context: CommandContext, options: ChangeOptions, copies: number): Promise<undefined> {
  const client = await context.client();
  const name = context.options.drive ?? context.terminal.env["CAIRN_DRIVE"] ?? "main";
  const drives = await client.drives({ signal: context.signal });
  const drive = drives.find((one: Drive) => one.name === name || one.id === name);
  if (!drive) throw new Failure("E_NOT_FOUND", `there is no drive ${name}`, { exitCode: exitCodes.notFound });
  const question = `Keep ${copies} ${copies === 1 ? "copy" : "copies"} of everything in ${drive.name} instead of ${drive.copies}?`;
  return runChange(
    context,
    { kind: "change-copies", drive: drive.id, copies },
    {
      options,
      words: { question, done: `Everything in ${drive.name} has ${copies} ${copies === 1 ? "copy" : "copies"}.` },
    },
  );
}
