import { parseArgs } from "node:util";
import type { LogLevel } from "@cairn/env-node";
import { limits, StorageError } from "@cairn/protocol";
import { parseSettingOptions, type SettingValues } from "./setting-options.ts";

/** Options of `start` and `server …`: flags over environment over defaults. */
export interface CommandOptions {
  readonly data: string | undefined;
  readonly host: string;
  /** Undefined: the default of the command. */
  readonly port: number | undefined;
  /** Of the S3 door; 0: any free one. */
  readonly s3Port: number;
  /** Hosts below which the first name is a bucket. */
  readonly s3Domains: readonly string[];
  readonly nodes: number;
  readonly copies: number;
  /** Processes that answer S3; 0: the metadata server does so itself. */
  readonly gateways: number;
  readonly allowNetwork: boolean;
  readonly logLevel: LogLevel;
  readonly metadata: string | undefined;
  readonly join: string | undefined;
  readonly name: string | undefined;
  readonly advertise: string | undefined;
  readonly disks: readonly string[];
  /** Thresholds to set at the start, by their names. */
  readonly settings: SettingValues;
}

/** Port of a gateway where none is named. */
export const defaultPort = 7070;
const defaultS3Port = 7071;
const gatewaysMax = 64;
const levels: readonly LogLevel[] = ["debug", "info", "warn", "error", "silent"];

/** Throws invalid for an unknown option or a senseless value. */
export function parseCommandOptions(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = process.env,
): CommandOptions {
  const values = parse(argv);
  const text = (name: keyof typeof values, variable: string): string | undefined => {
    const flag = values[name];
    return typeof flag === "string" ? flag : environment[variable] || undefined;
  };
  const number = (
    name: "port" | "s3-port" | "nodes" | "copies" | "gateways",
    variable: string,
    range: { min: number; max: number; otherwise: number },
  ): number => integer(name, text(name, variable), range);
  const nodes = number("nodes", "CAIRN_NODES", { min: 1, max: 64, otherwise: 3 });
  const copies = number("copies", "CAIRN_COPIES", { min: 1, max: limits.copiesMax, otherwise: Math.min(2, nodes) });
  if (copies > nodes && values.join === undefined) {
    throw new StorageError(
      "invalid",
      "read options",
      `--copies ${copies} needs at least ${copies} nodes; --nodes says ${nodes}`,
    );
  }
  const level = text("log-level", "CAIRN_LOG_LEVEL") ?? "info";
  if (!levels.includes(level as LogLevel))
    throw new StorageError("invalid", "read options", `--log-level is one of ${levels.join(", ")}`);
  return {
    data: text("data", "CAIRN_DATA"),
    host: text("host", "CAIRN_HOST") ?? "127.0.0.1",
    port:
      text("port", "CAIRN_PORT") === undefined
        ? undefined
        : number("port", "CAIRN_PORT", { min: 0, max: 65_535, otherwise: 0 }),
    // Beside a gateway at its usual place, and out of the way of any other.
    s3Port: number("s3-port", "CAIRN_S3_PORT", {
      ...{ min: 0, max: 65_535 },
      otherwise: text("port", "CAIRN_PORT") === undefined ? defaultS3Port : 0,
    }),
    s3Domains: (values["s3-domain"] ?? environment["CAIRN_S3_DOMAIN"]?.split(",") ?? []).map(domain),
    nodes,
    copies,
    gateways: number("gateways", "CAIRN_GATEWAYS", { min: 0, max: gatewaysMax, otherwise: 0 }),
    allowNetwork: values["allow-network"] === true,
    logLevel: level as LogLevel,
    metadata: text("metadata", "CAIRN_METADATA")?.replace(/\/+$/, ""),
    join: text("join", "CAIRN_JOIN_TOKEN"),
    name: text("name", "CAIRN_NODE_NAME"),
    advertise: text("advertise", "CAIRN_ADVERTISE")?.replace(/\/+$/, ""),
    disks: values.disk ?? [],
    settings: parseSettingOptions(
      [...(environment["CAIRN_SET"] ?? "").split(",").filter((word) => word !== ""), ...(values.set ?? [])],
      text("repair-delay", "CAIRN_REPAIR_DELAY"),
    ),
  };
}

function parse(argv: readonly string[]) {
  const one = { type: "string" } as const;
  try {
    return parseArgs({
      args: [...argv],
      options: {
        data: one,
        host: one,
        port: one,
        "s3-port": one,
        "s3-domain": { type: "string", multiple: true },
        nodes: one,
        copies: one,
        gateways: one,
        metadata: one,
        join: one,
        name: one,
        advertise: one,
        "log-level": one,
        "repair-delay": one,
        disk: { type: "string", multiple: true },
        set: { type: "string", multiple: true },
        "allow-network": { type: "boolean" },
      },
    }).values;
  } catch (cause) {
    throw new StorageError("invalid", "read options", cause instanceof Error ? cause.message : String(cause));
  }
}

function domain(text: string): string {
  const name = text.trim().toLowerCase();
  if (/^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/.test(name) && !name.includes("..")) return name;
  throw new StorageError("invalid", "read options", `--s3-domain is the name of a host, not '${text.slice(0, 60)}'`);
}

function integer(
  name: string,
  text: string | undefined,
  { min, max, otherwise }: { min: number; max: number; otherwise: number },
): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= min && value <= max) return value;
  throw new StorageError(
    "invalid",
    "read options",
    `--${name} is a whole number from ${min} to ${max}, not '${text.slice(0, 40)}'`,
  );
}
