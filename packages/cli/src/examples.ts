import type { Command } from "commander";

/** One way to use a command, with a word on what it does. */
export type Example = readonly [commandLine: string, explanation: string];

const examplesOf = new WeakMap<Command, readonly Example[]>();

/** Shows examples in the help text, before everything else but the usage, and keeps them for the reference. */
export function addExamples(command: Command, examples: readonly Example[]): Command {
  examplesOf.set(command, examples);
  const width = Math.max(...examples.map(([line]) => line.length));
  const lines = examples.map(([line, explanation]) => `  $ ${line.padEnd(width)}   ${explanation}`);
  return command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}

export function examplesFor(command: Command): readonly Example[] {
  return examplesOf.get(command) ?? [];
}
