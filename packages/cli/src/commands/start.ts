import { type Command, Option } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { countValue, portValue } from "../option-values.ts";

/** Options of servers, in the order in which they are handed on. */
export interface ServerOptions {
  readonly data?: string;
  readonly host?: string;
  readonly port?: number;
  readonly s3Port?: number;
  readonly s3Domain?: readonly string[];
  readonly nodes?: number;
  readonly copies?: number;
  readonly gateways?: number;
  readonly metadata?: string;
  readonly join?: string;
  readonly name?: string;
  readonly advertise?: string;
  readonly disk?: readonly string[];
  readonly set?: readonly string[];
  readonly repairDelay?: string;
  readonly logLevel?: string;
  readonly allowNetwork?: boolean;
}

export function addStartCommand(program: Command, act: Act): void {
  const command = program
    .command("start")
    .description("Bring up a whole cluster on this machine, until Ctrl-C.")
    .option("--port <port>", "port of REST (default: 7070; 0: any free one)", portValue)
    .option("--nodes <count>", "storage nodes (default: 3)", countValue)
    .option("--copies <count>", "copies of every chunk (default: 2)", countValue)
    .option(
      "--gateways <count>",
      "processes that answer S3 on its one port (default: the metadata server does)",
      countValue,
    );
  addS3Options(command);
  addSettingOptions(command);
  addNetworkOptions(command);
  addExamples(command, [
    ["cairn start", "a metadata server and three storage nodes"],
    ["cairn start --nodes 5 --copies 3", "more of everything"],
    ["cairn start --gateways 4", "S3 on four cores"],
    ["cairn start --repair-delay 2s --set repair.rate=200MiB", "thresholds from the start on"],
    ["cairn start --data ./second --port 7170", "a second cluster beside it"],
  ]);
  act(command, async (context: CommandContext, options: ServerOptions) => {
    const { startCommand } = await import("@cairn/server");
    context.leaveSignals();
    return startCommand(serverArguments(options));
  });
}

/** Where S3 is answered. */
export function addS3Options(command: Command): void {
  command
    .option("--s3-port <port>", "port of S3 (default: 7071; 0: any free one, as with a --port of your own)", portValue)
    .option(
      "--s3-domain <host>",
      "host below which S3 buckets are names, on both ports; as often as needed",
      collected,
    );
}

/** Thresholds of a metadata server; they stay until they are changed. */
export function addSettingOptions(command: Command): void {
  command
    .option("--repair-delay <duration>", "how long a node is silent before its data gets new copies (default: 10m)")
    .option(
      "--set <name=value>",
      "set a threshold, such as scrub.every=7d; as often as needed (or CAIRN_SET)",
      collected,
    );
}

/** For commander: an option that may be given several times. */
export function collected(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}

export function addNetworkOptions(command: Command): void {
  command
    .option("--host <address>", "address to listen on (default: 127.0.0.1)")
    .option("--allow-network", "listen beyond this machine; only on a network you trust")
    .addOption(
      new Option("--log-level <level>", "what is logged").choices(["debug", "info", "warn", "error", "silent"]),
    );
}

/** The options as a command line for the server, which reads them once more together with its environment. */
export function serverArguments(options: ServerOptions): readonly string[] {
  const pairs: readonly (readonly [string, string | number | undefined])[] = [
    ["data", options.data],
    ["host", options.host],
    ["port", options.port],
    ["s3-port", options.s3Port],
    ["nodes", options.nodes],
    ["copies", options.copies],
    ["gateways", options.gateways],
    ["metadata", options.metadata],
    ["join", options.join],
    ["name", options.name],
    ["advertise", options.advertise],
    ["log-level", options.logLevel],
    ["repair-delay", options.repairDelay],
    ...(options.disk ?? []).map((disk) => ["disk", disk] as const),
    ...(options.s3Domain ?? []).map((name) => ["s3-domain", name] as const),
    ...(options.set ?? []).map((word) => ["set", word] as const),
  ];
  // One word each, so that a value that begins with a dash is not taken for an option.
  const given = pairs.filter(([, value]) => value !== undefined).map(([name, value]) => `--${name}=${value}`);
  return options.allowNetwork === true ? [...given, "--allow-network"] : given;
}
