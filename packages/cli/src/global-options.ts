import { type Command, Option } from "commander";
import type { ConnectionFlags } from "./connection.ts";
import type { OutputFlags } from "./output.ts";
import { filled } from "./places.ts";
import type { ProgressWanted } from "./progress.ts";
import type { Terminal } from "./terminal.ts";

/** The options that every command takes, before or after its name. */
export interface GlobalOptions extends ConnectionFlags {
  readonly json?: boolean;
  readonly plain?: boolean;
  readonly quiet?: boolean;
  readonly debug?: boolean;
  /** Commander's name for `--no-color`. */
  readonly color?: boolean;
  readonly drive?: string;
  readonly progress?: ProgressWanted;
}

export function addGlobalOptions(program: Command): void {
  program
    .option("--json", "write JSON: one document, or one line per item for long commands")
    .option("--plain", "write tab-separated fields without headings")
    .option("-q, --quiet", "write ids only, and no messages")
    .option("--url <url>", "the cluster to talk to, such as http://127.0.0.1:7070")
    .option("--token-file <file>", "read the access token from this file")
    .option("--profile <name>", "use this profile of profiles.json")
    .option("--data <folder>", "the data folder of a local cluster")
    .option("--drive <name>", "the drive that paths belong to (default: main)")
    .addOption(new Option("--progress <when>", "show progress").choices(["auto", "always", "never"]))
    .option("--no-color", "write no colours")
    .option("--debug", "show where a failure came from");
}

/** How output is written, from the flags and CAIRN_JSON, CAIRN_DEBUG. */
export function outputFlags(options: GlobalOptions, env: Terminal["env"]): OutputFlags {
  return {
    json: options.json ?? isSet(env["CAIRN_JSON"]),
    plain: options.plain ?? false,
    quiet: options.quiet ?? false,
    color: options.color ?? true,
    debug: options.debug ?? isSet(env["CAIRN_DEBUG"]),
  };
}

/**
 * The output flags of a command line that could not be parsed, so that its error still comes in the wanted format.
 * What stands after `--` is no flag.
 */
export function outputFlagsOfRaw(argv: readonly string[], env: Terminal["env"]): OutputFlags {
  const end = argv.indexOf("--");
  const flags = new Set(end < 0 ? argv : argv.slice(0, end));
  const given = {
    ...(flags.has("--json") ? { json: true } : {}),
    ...(flags.has("--debug") ? { debug: true } : {}),
  };
  return outputFlags({ ...given, color: !flags.has("--no-color") }, env);
}

function isSet(value: string | undefined): boolean {
  const text = filled(value);
  return text !== undefined && text !== "0" && text !== "false";
}
