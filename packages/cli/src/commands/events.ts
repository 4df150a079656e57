import type { ClusterEvent, Severity } from "@cairn/protocol";
import { type Command, Option } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { escapeControls, formatTime } from "../format.ts";
import { eventDocument } from "../operations/documents.ts";
import { countValue } from "../option-values.ts";

interface EventsOptions {
  readonly follow?: boolean;
  readonly limit: number;
  readonly severity?: Severity;
}

export function addEventsCommand(program: Command, act: Act): void {
  const events = program
    .command("events")
    .description("Show what happened to the cluster.")
    .option("-f, --follow", "go on with what happens, until Ctrl-C")
    .option("--limit <count>", "the newest so many", countValue, 50)
    .addOption(new Option("--severity <least>", "nothing below it").choices(["info", "warning", "error"]));
  addExamples(events, [
    ["cairn events", "the newest 50"],
    ["cairn events --follow --severity warning", "what deserves a look, as it happens"],
  ]);
  act(events, showEvents);
}

async function showEvents(context: CommandContext, options: EventsOptions): Promise<undefined> {
  const { output, signal } = context;
  const { operations } = await context.client();
  const limit = Math.min(options.limit, 1000);
  const { severity } = options;
  const past = await operations.events({ after: -limit, limit, severity, signal });
  if (output.format === "human" && past.length === 0 && !options.follow) output.note("Nothing has happened yet.");
  if (output.format === "json" && !options.follow) {
    await output.document({ items: past.map(eventDocument) });
    return;
  }
  for (const event of past) await print(context, event);
  if (!options.follow) return;
  const after = past.at(-1)?.sequence ?? 0;
  for await (const event of operations.followEvents({ after, severity, signal })) await print(context, event);
}

async function print({ output }: CommandContext, event: ClusterEvent): Promise<void> {
  switch (output.format) {
    case "json":
      return output.document({ type: "item", ...eventDocument(event) });
    case "ids":
      return output.line(String(event.sequence));
    case "plain":
      return output.fields([
        event.sequence,
        formatTime(event.at),
        event.severity,
        event.kind,
        event.subject,
        event.message,
      ]);
    case "human": {
      const { colors } = output;
      const paint = { info: (text: string) => text, warning: colors.yellow, error: colors.red }[event.severity];
      const time = colors.dim(formatTime(event.at).replace("T", " ").slice(0, 19));
      return output.line(`${time}  ${paint(event.kind.padEnd(18))}  ${escapeControls(event.message)}`);
    }
  }
}
