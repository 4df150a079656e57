import { join } from "node:path";
import type { Env } from "@cairn/env";
import { type LogLevel, nodeEnv } from "@cairn/env-node";
import { asStorageError, type StorageError, toWireError, type WireError } from "@cairn/protocol";
import closeWithGrace from "close-with-grace";
import { LogFile } from "./log-file.ts";
import type { RoleConfig, RoleReady, RunningRole } from "./roles/role-config.ts";

const shutdownMs = 20_000;

/** What a role's process says to its supervisor. */
export type RoleMessage =
  | { readonly type: "ready"; readonly ready: RoleReady }
  | { readonly type: "failed"; readonly error: WireError };

export interface ProcessOptions {
  /** Name in the log, such as `metadata` or `node-2`. */
  readonly name: string;
  readonly logFolder: string;
  readonly logLevel: LogLevel;
}

/**
 * Runs one role in this process until a signal, or the loss of its supervisor, ends it. Work under way is finished for a
 * bounded time. Answers when the role serves; throws when it cannot start.
 */
export async function runRole(config: RoleConfig, options: ProcessOptions): Promise<RoleReady> {
  const destination = new LogFile(join(options.logFolder, `${options.name}.log`), {
    name: options.name,
    toTerminal: (line) => process.stderr.write(`${line}\n`),
  });
  const env = nodeEnv({ name: options.name, level: options.logLevel, destination });
  const running = await start(env, config);
  const closing = closeWithGrace({ delay: shutdownMs, logger: false }, async ({ err, signal }) => {
    if (err) env.log.error({ err }, "stopping after an unexpected error");
    else env.log.info({ signal }, "stopping");
    await running[Symbol.asyncDispose]();
    await env[Symbol.asyncDispose]();
    await destination[Symbol.asyncDispose]();
  });
  // Children never outlive the supervisor, however it ended: the next start finds their ports and locks free.
  if (process.channel) process.once("disconnect", () => void closing.close());
  return running.ready;
}

/** Each process loads what its role needs: the parts of the others are a third of its memory. */
async function start(env: Env, config: RoleConfig): Promise<RunningRole> {
  switch (config.role) {
    case "metadata":
      return (await import("./roles/metadata-role.ts")).runMetadata(env, config);
    case "node":
      return (await import("./roles/node-role.ts")).runNode(env, config);
    case "gateway":
      return (await import("./roles/gateway-role.ts")).runGateway(env, config);
  }
}

/** What a person sees when a part cannot start: what, why, and what to do. */
export function describeFailure(error: unknown): string {
  const known: StorageError = asStorageError(error, "start");
  return `Error: ${known.operation}: ${known.subject}${known.hint ? `\nHint:  ${known.hint}` : ""}`;
}

/** The failure as a message to the supervisor. */
export function failureMessage(error: unknown): RoleMessage {
  return { type: "failed", error: toWireError(error) };
}
