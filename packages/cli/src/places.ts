import { homedir } from "node:os";
import { isAbsolute, join, relative, resolve } from "node:path";
import type { Terminal } from "./terminal.ts";

type Where = Pick<Terminal, "env" | "home" | "cwd">;

/** The home folder of the user, from the environment first so that a test or a service can name another. */
export function homeFolder(env: Terminal["env"]): string {
  return filled(env["HOME"]) ?? homedir();
}

/** `$XDG_CONFIG_HOME/cairn/profiles.json`. */
export function profilesFile(where: Where): string {
  return join(base(where, "XDG_CONFIG_HOME", [".config"]), "cairn", "profiles.json");
}

/** The data folder of the local cluster when nobody names one: `$XDG_DATA_HOME/cairn`. */
export function defaultDataFolder(where: Where): string {
  return join(base(where, "XDG_DATA_HOME", [".local", "share"]), "cairn");
}

/** Where unfinished uploads are remembered: under CAIRN_DATA when that is set, else `$XDG_STATE_HOME/cairn/uploads`. */
export function uploadsFolder(where: Where): string {
  const data = filled(where.env["CAIRN_DATA"]);
  if (data !== undefined) return join(resolve(where.cwd, data), "client", "uploads");
  return join(base(where, "XDG_STATE_HOME", [".local", "state"]), "cairn", "uploads");
}

/** A path as a person in `folder` would write it: relative when it lies below, else as it is. */
export function relativeBelow(folder: string, path: string): string {
  const way = relative(folder, path);
  return way === "" || way.startsWith("..") || isAbsolute(way) ? path : way;
}

/** The variable's value unless it is absent or empty. */
export function filled(value: string | undefined): string | undefined {
  return value === undefined || value === "" ? undefined : value;
}

/** The XDG base directory specification: a relative path in the variable is ignored. */
function base(where: Where, variable: string, fallback: readonly string[]): string {
  const value = filled(where.env[variable]);
  return value !== undefined && resolve(value) === value ? value : join(where.home, ...fallback);
}
