import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { localFailure, usageFailure } from "./failure.ts";
import { defaultDataFolder, filled, profilesFile } from "./places.ts";
import type { Terminal } from "./terminal.ts";

/** Which cluster a command talks to, and how it got there. */
export interface Connection {
  readonly url: string;
  readonly token: string | undefined;
  /** The profile that named the cluster, if one did. */
  readonly profile: string | undefined;
}

/** The flags that choose a cluster. */
export interface ConnectionFlags {
  readonly url?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly data?: string | undefined;
  readonly profile?: string | undefined;
}

type Where = Pick<Terminal, "env" | "home" | "cwd">;

interface Target {
  readonly url: string;
  readonly token?: string | undefined;
  readonly data?: string | undefined;
  readonly profile?: string | undefined;
}

/**
 * Finds the cluster: flags, then CAIRN_URL, CAIRN_DATA and CAIRN_PROFILE, then the default profile, then the default data
 * folder. A token that belongs to a data folder or a profile is sent to the URL it belongs to and to no other.
 * Throws a Failure when nothing names a cluster or a named file is missing or unreadable.
 */
export async function resolveConnection(flags: ConnectionFlags, where: Where): Promise<Connection> {
  const target = await findTarget(flags, where);
  const token = (await tokenGiven(flags, where)) ?? target.token;
  return { url: checkedUrl(target.url), token, profile: target.profile };
}

/** The data folder of the local cluster that `local` commands control. */
export async function resolveDataFolder(flags: ConnectionFlags, where: Where): Promise<string> {
  const given = filled(flags.data);
  if (given !== undefined) return resolve(where.cwd, given);
  const named = filled(flags.profile);
  const data = named === undefined ? filled(where.env["CAIRN_DATA"]) : undefined;
  if (data !== undefined) return resolve(where.cwd, data);
  const profile = await readProfile(named ?? filled(where.env["CAIRN_PROFILE"]), where);
  return profile?.data ?? defaultDataFolder(where);
}

async function findTarget(flags: ConnectionFlags, where: Where): Promise<Target> {
  const { env } = where;
  if (filled(flags.url) !== undefined) return withKnownToken(flags.url as string, flags, where);
  if (filled(flags.data) !== undefined) return dataTarget(flags.data as string, where);
  if (filled(flags.profile) !== undefined) return namedProfile(flags.profile as string, where);
  const url = filled(env["CAIRN_URL"]);
  if (url !== undefined) return withKnownToken(url, flags, where);
  const data = filled(env["CAIRN_DATA"]);
  if (data !== undefined) return dataTarget(data, where);
  const named = filled(env["CAIRN_PROFILE"]);
  if (named !== undefined) return namedProfile(named, where);
  const target = (await readProfile(undefined, where)) ?? (await readClientFile(defaultDataFolder(where)));
  if (target) return target;
  throw usageFailure(
    "no cluster is known yet",
    "start a local one with `cairn start` (or `npm start` in a clone), or name one with --url and --token-file",
  );
}

/** A URL without a token of its own may still be the one of a known cluster. */
async function withKnownToken(url: string, flags: ConnectionFlags, where: Where): Promise<Target> {
  const known = await knownTargets(flags, where);
  return { ...known.find((target) => sameUrl(target.url, url)), url };
}

async function knownTargets(flags: ConnectionFlags, where: Where): Promise<readonly Target[]> {
  const data = filled(flags.data) ?? filled(where.env["CAIRN_DATA"]);
  const profile = await readProfile(filled(flags.profile) ?? filled(where.env["CAIRN_PROFILE"]), where);
  const folder = data === undefined ? undefined : await readClientFile(resolve(where.cwd, data));
  return [folder, profile].filter((target) => target !== undefined);
}

async function dataTarget(folder: string, where: Where): Promise<Target> {
  const path = resolve(where.cwd, folder);
  const target = await readClientFile(path);
  if (target) return target;
  throw usageFailure(`no cluster has run in ${path} yet`, `start one with \`cairn start --data ${path}\``);
}

async function namedProfile(name: string, where: Where): Promise<Target> {
  const target = await readProfile(name, where);
  if (target) return target;
  throw usageFailure(`there is no profile named ${name}`, `profiles stand in ${profilesFile(where)}`);
}

async function readClientFile(folder: string): Promise<Target | undefined> {
  const file = join(folder, "client.json");
  const found = record(await readJson(file));
  if (!found) return undefined;
  const { url, token } = found;
  if (typeof url !== "string") throw localFailure(`${file} names no url`, "start the cluster again to write it anew");
  return { url, token: text(token), data: folder };
}

async function readProfile(name: string | undefined, where: Where): Promise<Target | undefined> {
  const file = profilesFile(where);
  const found = record(await readJson(file));
  if (!found) return undefined;
  const chosen = name ?? text(found["default"]);
  const profile = chosen === undefined ? undefined : record(record(found["profiles"])?.[chosen]);
  if (!profile) return undefined;
  const { url, token, data } = profile;
  if (typeof url !== "string") throw localFailure(`profile ${chosen} names no url`, `mend it in ${file}`);
  return { url, token: text(token), data: text(data), profile: chosen };
}

async function tokenGiven(flags: ConnectionFlags, where: Where): Promise<string | undefined> {
  const flag = filled(flags.tokenFile);
  if (flag !== undefined) return readToken(resolve(where.cwd, flag));
  const token = filled(where.env["CAIRN_TOKEN"]);
  if (token !== undefined) return token.trim();
  const file = filled(where.env["CAIRN_TOKEN_FILE"]);
  return file === undefined ? undefined : readToken(resolve(where.cwd, file));
}

async function readToken(file: string): Promise<string> {
  const token = (await readFile(file, "utf8")).trim();
  if (token === "" || /\s/.test(token)) throw usageFailure(`${file} does not hold one access token`);
  return token;
}

async function readJson(file: string): Promise<unknown> {
  const content = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return undefined;
    throw error;
  });
  if (content === undefined) return undefined;
  try {
    return JSON.parse(content) as unknown;
  } catch (cause) {
    throw localFailure(`${file} is not valid JSON`, "mend it or remove it", cause);
  }
}

function record(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function checkedUrl(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== "http:" && parsed?.protocol !== "https:") {
    throw usageFailure(`${url} is not a URL of a cluster`, "it looks like http://127.0.0.1:7070");
  }
  return url.replace(/\/+$/, "");
}

function sameUrl(a: string, b: string): boolean {
  return URL.canParse(a) && URL.canParse(b) && new URL(a).href === new URL(b).href;
}
