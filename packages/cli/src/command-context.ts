import type { CairnClient } from "@cairn/client";
import type { Command } from "commander";
import { type Connection, resolveConnection, resolveDataFolder } from "./connection.ts";
import type { GlobalOptions } from "./global-options.ts";
import type { Output } from "./output.ts";
import { filled } from "./places.ts";
import type { Terminal } from "./terminal.ts";

/** What a command works with. */
export class CommandContext implements AsyncDisposable {
  readonly terminal: Terminal;
  readonly output: Output;
  readonly options: GlobalOptions;
  /** Aborts at the first Ctrl-C. */
  readonly signal: AbortSignal;
  readonly #leaveSignals: () => void;
  #connection: Promise<Connection> | undefined;
  #client: Promise<CairnClient> | undefined;

  constructor(terminal: Terminal, output: Output, parts: CommandContextParts) {
    this.terminal = terminal;
    this.output = output;
    this.options = parts.options;
    this.signal = parts.signal;
    this.#leaveSignals = parts.leaveSignals;
  }

  /** Which cluster this run talks to. Throws a Failure when none is known. */
  connection(): Promise<Connection> {
    this.#connection ??= resolveConnection(this.options, this.terminal);
    return this.#connection;
  }

  /** The SDK, loaded and connected at first use. */
  client(): Promise<CairnClient> {
    this.#client ??= this.#connect();
    return this.#client;
  }

  /** The folder of the local cluster. */
  dataFolder(): Promise<string> {
    return resolveDataFolder(this.options, this.terminal);
  }

  /** For commands that handle signals themselves, such as servers. */
  leaveSignals(): void {
    this.#leaveSignals();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    await client?.[Symbol.asyncDispose]();
  }

  async #connect(): Promise<CairnClient> {
    const { url, token } = await this.connection();
    const { CairnClient } = await import("@cairn/client");
    const drive = filled(this.options.drive) ?? filled(this.terminal.env["CAIRN_DRIVE"]);
    return new CairnClient({ url, token, drive, holder: "cairn" });
  }
}

export interface CommandContextParts {
  readonly options: GlobalOptions;
  readonly signal: AbortSignal;
  readonly leaveSignals: () => void;
}

/** Gives a command what it does. The number is the exit code; undefined stands for 0. */
export type Act = <Options, Arguments extends readonly unknown[]>(
  command: Command,
  run: (context: CommandContext, options: Options, ...args: Arguments) => Promise<number | undefined>,
) => void;
