import type { Command } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { usageFailure } from "../failure.ts";
import { helpTopics } from "../help-topics.ts";

export function addHelpCommand(program: Command, act: Act): void {
  const topics = Object.keys(helpTopics).join(", ");
  const command = program
    .command("help")
    .description("Show help for a command or a topic.")
    .argument("[topic...]", `a command, or one of: ${topics}`);
  addExamples(command, [
    ["cairn help upload", "a command"],
    ["cairn help exit-codes", "a topic"],
  ]);
  act(command, (context, _options: unknown, names: readonly string[]) => showHelp(context, program, names));
}

async function showHelp(context: CommandContext, program: Command, names: readonly string[]): Promise<undefined> {
  const topic = names.length === 1 ? helpTopics[names[0] ?? ""] : undefined;
  if (topic !== undefined) {
    await context.output.line(topic());
    return;
  }
  let command = program;
  for (const name of names) {
    const child = command.commands.find((it) => it.name() === name || it.aliases().includes(name));
    if (!child) throw usageFailure(`there is no command or topic '${names.join(" ")}'`, "see `cairn help`");
    command = child;
  }
  command.outputHelp();
}
