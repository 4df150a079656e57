import { homedir } from "node:os";
import { join, resolve } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** The data folder: --data, else CAIRN_DATA, else `cairn` below the XDG data home. */
export function dataFolder(option: string | undefined, environment: Environment = process.env): string {
  const named = option ?? environment["CAIRN_DATA"];
  if (named) return resolve(named);
  const base = environment["XDG_DATA_HOME"];
  return join(base ? base : join(homedir(), ".local", "share"), "cairn");
}

/** Where profiles of clusters are kept for this user. */
export function profilesFile(environment: Environment = process.env): string {
  const base = environment["XDG_CONFIG_HOME"];
  return join(base ? base : join(homedir(), ".config"), "cairn", "profiles.json");
}

/** What lies where below a data folder. */
export const places = {
  client: (data: string): string => join(data, "client.json"),
  metadata: (data: string): string => join(data, "metadata"),
  node: (data: string, name: string): string => join(data, "nodes", name),
  nodes: (data: string): string => join(data, "nodes"),
  nodeDisk: (data: string, name: string): string => join(data, "nodes", name, "disk"),
  gateway: (data: string, name: string): string => join(data, "gateways", name),
  logs: (data: string): string => join(data, "logs"),
  run: (data: string): string => join(data, "run"),
  supervisor: (data: string): string => join(data, "run", "supervisor.json"),
} as const;

/** A path as people write it, with `~` for the home folder. */
export function shortPath(path: string): string {
  const home = homedir();
  return home.length > 1 && path.startsWith(home) ? `~${path.slice(home.length)}` : path;
}
