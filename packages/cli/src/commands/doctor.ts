import type { HealthClaim } from "@cairn/protocol";
import type { Command } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { exitCodes } from "../exit-codes.ts";
import { escapeControls, formatItems } from "../format.ts";
import { checkMachine, type Finding } from "../operations/machine-checks.ts";

export function addDoctorCommand(program: Command, act: Act): void {
  const doctor = program
    .command("doctor")
    .description("Check what a person would check: data, nodes, disks, space, clocks, versions, ports, permissions.");
  addExamples(doctor, [
    ["cairn doctor", "every finding with what to do about it"],
    ["cairn doctor -q || alert", "ends with 11 when something is wrong"],
  ]);
  act(doctor, examine);
}

async function examine(context: CommandContext): Promise<number> {
  const { output, signal } = context;
  const client = await context.client();
  const health = await client.operations.health({ signal });
  const findings = [...health.claims.map(findingOf), ...(await checkMachine(context, health))];
  const wrong = findings.filter(({ verdict }) => verdict !== "good");
  switch (output.format) {
    case "json":
      await output.document({ healthy: wrong.length === 0, findings });
      break;
    case "ids":
      for (const { name } of wrong) await output.line(name);
      break;
    case "plain":
      for (const it of findings) await output.fields([it.name, it.verdict, it.message, it.hint ?? ""]);
      break;
    case "human":
      await output.line(findings.flatMap((finding) => describe(context, finding)).join("\n"));
      output.note(wrong.length === 0 ? "Nothing is wrong." : `${formatItems(wrong.length, "finding")} to look at.`);
  }
  return wrong.length === 0 ? exitCodes.ok : exitCodes.degraded;
}

function findingOf({ name, verdict, message, hint }: HealthClaim): Finding {
  return { name, verdict, message, hint };
}

function describe(
  { output: { colors } }: CommandContext,
  { name, verdict, message, hint }: Finding,
): readonly string[] {
  const mark = { good: colors.green("●"), attention: colors.yellow("▲"), bad: colors.red("✕") }[verdict];
  const line = `${mark} ${name.padEnd(13)} ${escapeControls(message)}`;
  return hint === undefined || verdict === "good"
    ? [line]
    : [line, `${" ".repeat(16)}${colors.cyan("Hint:")} ${escapeControls(hint)}`];
}
