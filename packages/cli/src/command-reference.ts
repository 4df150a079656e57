import type { Command } from "commander";
import { examplesFor } from "./examples.ts";
import { environmentVariables } from "./help-topics.ts";

/** Options and commands that are there but not advertised. */
const internalCommands: ReadonlySet<string> = new Set(["complete"]);

/** The command tree as Markdown, as it stands in docs/api/cli.md. */
export function referenceOf(program: Command): string {
  return [
    "# The `cairn` command",
    "",
    "Made from the command tree; a test compares the two. How commands end: [exit-codes.md](exit-codes.md).",
    "",
    "Data goes to stdout, messages and progress to stderr. With `--json` short commands write one document, long ones",
    "(`upload`, `download`, `delete`, `restore`, `move`, `verify`, `file map`, `status --watch`, `events`, and what starts or",
    "watches a job) one document per line with a",
    "`type`: `status`, `item`, `error`, `summary`; a failure is the last line of stderr:",
    "",
    "```json",
    '{"type":"error","code":"E_NOT_FOUND","exit_code":4,"message":"…","hint":"…","request_id":"…"}',
    "```",
    "",
    "## Options of every command",
    "",
    ...optionTable(program),
    "",
    ...program.commands.filter(isShown).flatMap((command) => section(command, "cairn")),
    "## Environment",
    "",
    "A flag always wins over its variable.",
    "",
    "| variable | |",
    "|---|---|",
    ...environmentVariables.map(([name, meaning]) => `| \`${name}\` | ${meaning} |`),
    "",
  ]
    .join("\n")
    .replace(/\n+$/, "\n");
}

function section(command: Command, above: string): readonly string[] {
  const name = `${above} ${command.name()}`;
  const children = command.commands.filter(isShown);
  if (children.length > 0) return children.flatMap((child) => section(child, name));
  const options = command.options.length > 0 ? ["", ...optionTable(command)] : [];
  const examples = examplesFor(command);
  const width = Math.max(0, ...examples.map(([line]) => line.length));
  const aliases = command.aliases().map((alias) => `\`${alias}\``);
  return [
    `## \`${name}\``,
    "",
    `${command.description()}${aliases.length === 0 ? "" : ` Also ${aliases.join(", ")}.`}`,
    "",
    "```sh",
    `${name} ${command.usage()}`.trim(),
    "```",
    ...argumentList(command),
    ...options,
    "",
    "```sh",
    ...examples.map(([line, explanation]) => `${line.padEnd(width)}   # ${explanation}`),
    "```",
    "",
  ];
}

function argumentList(command: Command): readonly string[] {
  const described = command.registeredArguments.filter(({ description }) => description !== "");
  if (described.length === 0) return [];
  return ["", ...described.map((argument) => `- \`${argument.name()}\`: ${argument.description}`)];
}

function optionTable(command: Command): readonly string[] {
  const rows = command.options.map((option) => {
    const choices = option.argChoices === undefined ? "" : ` (${option.argChoices.join(", ")})`;
    const preset = option.defaultValue === undefined || option.defaultValue === true ? "" : defaultText(option);
    return `| \`${option.flags}\` | ${option.description}${choices}${preset} |`;
  });
  return ["| option | |", "|---|---|", ...rows];
}

function defaultText(option: { readonly defaultValue?: unknown; readonly defaultValueDescription?: string }): string {
  return `; default: \`${option.defaultValueDescription ?? String(option.defaultValue)}\``;
}

function isShown(command: Command): boolean {
  return !internalCommands.has(command.name());
}
