import type { ClusterHealth, HealthClaim } from "@cairn/protocol";
import type { Command } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { escapeControls, formatAge, formatTime } from "../format.ts";
import { healthDocument } from "../operations/documents.ts";

export function addClusterCommand(program: Command, act: Act): void {
  const cluster = program.command("cluster").description("See what is known about the health of the cluster.");
  addExamples(cluster, [["cairn cluster health --explain", "every claim with its evidence"]]);
  const health = cluster
    .command("health")
    .description("Show every claim about the cluster's health.")
    .option("--explain", "with what each claim rests on, and how old that is");
  addExamples(health, [["cairn cluster health --explain", "what every green light rests on"]]);
  act(health, showHealth);
}

async function showHealth(context: CommandContext, options: { readonly explain?: boolean }): Promise<undefined> {
  const { output, signal } = context;
  const { operations } = await context.client();
  const health = await operations.health({ signal });
  switch (output.format) {
    case "json":
      await output.document(healthDocument(health));
      return;
    case "ids":
      for (const { name, verdict } of health.claims) if (verdict !== "good") await output.line(name);
      return;
    case "plain":
      for (const it of health.claims) {
        await output.fields([it.name, it.verdict, formatTime(it.asOf), it.message, it.evidence]);
      }
      return;
    case "human":
      await output.line(describeClaims(context, health, options.explain ?? false).join("\n"));
  }
}

function describeClaims({ output }: CommandContext, { claims }: ClusterHealth, explain: boolean): readonly string[] {
  const { colors } = output;
  const now = Date.now();
  const marks = { good: colors.green("●"), attention: colors.yellow("▲"), bad: colors.red("✕") };
  const lines = (claim: HealthClaim): readonly string[] => [
    `${marks[claim.verdict]} ${claim.name.padEnd(12)}${escapeControls(claim.message)}`,
    ...(explain
      ? [colors.dim(`${" ".repeat(14)}${escapeControls(claim.evidence)} · ${formatAge(claim.asOf, now)}`)]
      : []),
    ...(claim.hint === undefined ? [] : [`${" ".repeat(14)}${colors.cyan("Hint:")} ${claim.hint}`]),
  ];
  return claims.flatMap(lines);
}
