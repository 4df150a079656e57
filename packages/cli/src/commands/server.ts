import type { Command } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { countValue, portValue } from "../option-values.ts";
import {
  addNetworkOptions,
  addS3Options,
  addSettingOptions,
  collected,
  type ServerOptions,
  serverArguments,
} from "./start.ts";

export function addServerCommand(program: Command, act: Act): void {
  const server = program.command("server").description("Run one part of a cluster that spans several machines.");
  addExamples(server, [["cairn server metadata --data /srv/cairn", "the first machine"]]);
  const metadata = server
    .command("metadata")
    .description("The metadata server, with a gateway in the same process.")
    .option("--copies <count>", "copies of every chunk (default: 2)", countValue);
  addS3Options(metadata);
  addSettingOptions(metadata);
  addExamples(metadata, [
    ["cairn server metadata --data /srv/cairn --host 192.0.2.1 --allow-network", "reachable for other machines"],
  ]);
  const node = server
    .command("node")
    .description("A storage node.")
    .option("--metadata <url>", "URL of the metadata server")
    .option("--join <token>", "join token, at the first start (or CAIRN_JOIN_TOKEN)")
    .option("--name <name>", "name of the node (default: the metadata server gives one)")
    .option("--advertise <url>", "URL under which others reach it")
    .option("--disk <folder>", "folder on a disk; once for each disk", collected);
  addExamples(node, [
    [
      "cairn server node --data /srv/cairn --metadata http://192.0.2.1:7070 --join TOKEN --host 192.0.2.2 --allow-network",
      "as `cairn node add` prints it",
    ],
  ]);
  const gateway = server
    .command("gateway")
    .description("One more gateway.")
    .option("--metadata <url>", "URL of the metadata server")
    .option("--join <token>", "join token, at the first start (or CAIRN_JOIN_TOKEN)");
  addS3Options(gateway);
  addExamples(gateway, [["cairn server gateway --metadata http://192.0.2.1:7070 --join TOKEN", "on any machine"]]);
  for (const role of [metadata, node, gateway]) {
    role.option("--port <port>", "port to listen on (0: any free one)", portValue);
    addNetworkOptions(role);
    act(role, async (context: CommandContext, options: ServerOptions) => {
      const { serverCommand } = await import("@cairn/server");
      context.leaveSignals();
      return serverCommand([role.name(), ...serverArguments(options)]);
    });
  }
}
