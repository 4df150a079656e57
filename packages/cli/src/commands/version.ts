import type { ServerVersion } from "@cairn/client";
import type { Command } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { asFailure } from "../failure.ts";
import { programVersion } from "../version.ts";

export function addVersionCommand(program: Command, act: Act): void {
  const command = program.command("version").description("Show the versions of this program and of the cluster.");
  addExamples(command, [["cairn version", "asks the cluster, if one can be reached"]]);
  act(command, version);
}

async function version(context: CommandContext): Promise<undefined> {
  const { output } = context;
  const server = await serverVersion(context);
  const { reached } = server;
  const facts: readonly (readonly [string, string])[] = [
    ["cairn", programVersion],
    ["server", reached?.version ?? `not known: ${server.reason}`],
    ["cluster", reached?.cluster ?? "–"],
    ["node.js", process.versions.node],
  ];
  switch (output.format) {
    case "json":
      await output.document({
        client: programVersion,
        server: reached?.version ?? null,
        cluster: reached?.cluster ?? null,
        node: process.versions.node,
      });
      return;
    case "ids":
      await output.line(programVersion);
      return;
    case "plain":
      for (const fact of facts) await output.fields(fact);
      return;
    case "human":
      for (const [name, value] of facts) await output.line(`${output.colors.dim(name.padEnd(9))}${value}`);
  }
}

/** The version of this program is worth showing without a cluster too. */
async function serverVersion(
  context: CommandContext,
): Promise<{ readonly reached?: ServerVersion; readonly reason?: string }> {
  try {
    const client = await context.client();
    return { reached: await client.version({ signal: context.signal }) };
  } catch (error) {
    context.signal.throwIfAborted();
    return { reason: asFailure(error).message };
  }
}
