import tab from "@bomb.sh/tab/commander";
import type { Command } from "commander";
import { addExamples } from "../examples.ts";

/** Adds `completion <shell>`, and the hidden command that the shells ask. Must come after every other command. */
export function addCompletionCommand(program: Command): void {
  tab(program, { completionCommandName: "completion" });
  const command = program.commands.find((it) => it.name() === "completion");
  if (!command) return;
  command.description("Print the completion script of a shell.");
  addExamples(command, [
    ["source <(cairn completion bash)", "in this shell; also zsh"],
    ["cairn completion fish > ~/.config/fish/completions/cairn.fish", "for good"],
  ]);
}
