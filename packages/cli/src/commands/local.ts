import type { Command } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { renderTable } from "../table.ts";

export function addLocalCommand(program: Command, act: Act): void {
  const local = program.command("local").description("Control the processes of a local cluster.");
  addExamples(local, [["cairn local kill node-2", "see that nothing is lost"]]);
  const status = local.command("status").description("List the processes of the local cluster.");
  addExamples(status, [["cairn local status", "with their process ids"]]);
  act(status, showProcesses);
  for (const [verb, description, done] of [
    ["kill", "Kill a process at once (SIGKILL) and keep it down.", "Killed"],
    ["revive", "Start a process again that was killed.", "Revived"],
  ] as const) {
    const command = local.command(verb).description(description).argument("<name>", "such as node-2 or metadata");
    addExamples(command, [[`cairn local ${verb} node-2`, "a node of the local cluster"]]);
    act(command, async (context, _options: unknown, name: string) => {
      const control = await controlOf(context);
      await control[verb](name);
      const { output } = context;
      if (output.format === "json") await output.document({ name, state: verb === "kill" ? "held" : "running" });
      else if (output.format === "human") await output.line(`${done}: ${name}`);
      else await output.line(name);
      output.note(verb === "kill" ? `Bring it back: cairn local revive ${name}` : "See it join: cairn status --watch");
      return undefined;
    });
  }
}

async function controlOf(context: CommandContext) {
  const { localControl } = await import("@cairn/server");
  return localControl(await context.dataFolder());
}

async function showProcesses(context: CommandContext): Promise<undefined> {
  const { output } = context;
  const control = await controlOf(context);
  const { url, processes } = await control.status();
  switch (output.format) {
    case "json":
      await output.document({ url, processes });
      return;
    case "ids":
      for (const { name } of processes) await output.line(name);
      return;
    case "plain":
      for (const it of processes) await output.fields([it.name, it.state, it.pid ?? "", it.url ?? ""]);
      return;
    case "human": {
      const columns = [
        { title: "NAME" },
        { title: "STATE" },
        { title: "PID", align: "right" },
        { title: "ADDRESS" },
      ] as const;
      const rows = processes.map((it) => [it.name, it.state, String(it.pid ?? "–"), it.url ?? "–"]);
      await output.line(renderTable(columns, rows));
    }
  }
}
