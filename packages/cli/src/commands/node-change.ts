import type { NodeId } from "@cairn/protocol";
import type { Command } from "commander";
import type { Act } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { addChangeOptions, type ChangeOptions, runChange } from "../operations/change-run.ts";
import { durationValue } from "../option-values.ts";

interface MaintenanceOptions extends ChangeOptions {
  readonly for?: number;
  readonly off?: boolean;
}

/** The orders of `cairn node` that change who stores what. */
export function addNodeChanges(node: Command, act: Act): void {
  const drain = order(node, "drain", "Move everything off a node, so that it can be removed or switched off.");
  addChangeOptions(drain, { isJob: true });
  addExamples(drain, [
    ["cairn node drain node-2 --dry-run", "what would move, and how long it takes"],
    ["cairn node drain node-2", "asks, then shows how far it is"],
    ["cairn node drain node-2 --yes --detach", "in a script"],
  ]);
  act(drain, (context, options: ChangeOptions, name: string) =>
    runChange(
      context,
      { kind: "drain", node: name as NodeId },
      {
        options,
        words: {
          question: `Move everything off ${name}?`,
          done: `${name} is empty. Remove it with: cairn node remove ${name}`,
        },
      },
    ),
  );
  const undrain = order(node, "undrain", "Let a node take data again; what was moved stays moved.");
  addChangeOptions(undrain, { isJob: false });
  addExamples(undrain, [["cairn node undrain node-2", "it stays after all"]]);
  act(undrain, (context, options: ChangeOptions, name: string) =>
    runChange(
      context,
      { kind: "undrain", node: name as NodeId },
      { options, words: { question: "", done: `${name} takes data again.`, harmless: true } },
    ),
  );
  const remove = order(node, "remove", "Take a node out of the cluster for good, after moving what it holds.");
  addChangeOptions(remove, { isJob: true });
  addExamples(remove, [
    ["cairn node remove node-2", "drains it first if need be"],
    ["cairn node remove node-2 --dry-run", "whether it may go"],
  ]);
  act(remove, (context, options: ChangeOptions, name: string) =>
    runChange(
      context,
      { kind: "remove", node: name as NodeId },
      {
        options,
        words: { question: `Remove ${name} for good?`, done: `${name} is removed; its name is never used again.` },
      },
    ),
  );
  addMaintenance(node, act);
}

function addMaintenance(node: Command, act: Act): void {
  const maintenance = order(
    node,
    "maintenance",
    "Say that a node will be away for a while: nothing is repaired meanwhile.",
  )
    .option("--for <duration>", "how long, up to 24h (default: 1h)", durationValue)
    .option("--off", "it is over");
  addChangeOptions(maintenance, { isJob: false });
  addExamples(maintenance, [
    ["cairn node maintenance node-2 --for 30m", "before a restart of the machine"],
    ["cairn node maintenance node-2 --off", "it is back"],
  ]);
  act(maintenance, (context, options: MaintenanceOptions, name: string) => {
    const on = options.off !== true;
    return runChange(
      context,
      { kind: "maintenance", node: name as NodeId, on, ...(on ? { durationMs: options.for } : {}) },
      {
        options,
        words: {
          question: "",
          done: on
            ? `${name} may be away; it counts as gone when it is not back in time.`
            : `The maintenance of ${name} is over.`,
          harmless: true,
        },
      },
    );
  });
}

function order(node: Command, verb: string, description: string): Command {
  return node.command(verb).description(description).argument("<node>", "such as node-2");
}
