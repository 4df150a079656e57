import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runCairn } from "@cairn/cli";
import { memoryTerminal } from "../../packages/cli/src/testing/memory-terminal.ts";

const bin = fileURLToPath(new URL("../../packages/cli/bin/cairn.js", import.meta.url));

export interface CommandResult {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

export interface CommandOptions {
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The `cairn` command as a person types it, with a home folder of its own below `folder`. */
export class CairnCommand {
  readonly #folder: string;
  readonly #env: Readonly<Record<string, string>>;

  /** `data`: the data folder of the cluster that it talks to. */
  constructor(folder: string, data: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    const inherited = Object.entries(process.env).filter(
      ([name]) => !/^(CAIRN_|XDG_|NO_COLOR|CLICOLOR|FORCE_COLOR)/.test(name),
    );
    this.#env = {
      ...(Object.fromEntries(inherited) as Record<string, string>),
      HOME: folder,
      CAIRN_DATA: data,
    };
  }

  /** Where it runs, and where files for it may lie. */
  path(...parts: readonly string[]): string {
    return join(this.#folder, ...parts);
  }

  /** In a process of its own, as a shell would start it. */
  start(
    args: readonly string[],
    options: CommandOptions = {},
  ): ChildProcess & { readonly result: Promise<CommandResult> } {
    const child = spawn(process.execPath, [bin, ...args], {
      cwd: options.cwd ?? this.#folder,
      env: { ...this.#env, ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    let [out, err] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (piece: string) => {
      out += piece;
    });
    child.stderr.setEncoding("utf8").on("data", (piece: string) => {
      err += piece;
    });
    // The command may end before it has read all of its input.
    child.stdin.on("error", () => undefined);
    child.stdin.end(options.input ?? "");
    const result = new Promise<CommandResult>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (exitCode, signal) => resolve({ exitCode, signal, out, err }));
    });
    return Object.assign(child, { result });
  }

  /** In this process: quick, and the same in everything but signals and pipes. */
  async run(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const env = { ...this.#env, ...options.env };
    const { input = "", cwd = this.#folder } = options;
    const terminal = memoryTerminal({ env, cwd, home: this.#folder, input });
    const exitCode = await runCairn(args, terminal);
    return { exitCode, signal: null, out: terminal.out(), err: terminal.err() };
  }

  /** stdout of a command that must succeed. */
  async ok(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    const { exitCode, out, err } = await this.run(args, options);
    if (exitCode !== 0) throw new Error(`cairn ${args.join(" ")} ended with ${exitCode}\n${out}${err}`);
    return out;
  }

  /** The one document that a command that must succeed writes with --json. */
  async json(args: readonly string[]): Promise<Record<string, unknown>> {
    return JSON.parse(await this.ok([...args, "--json"])) as Record<string, unknown>;
  }

  /** The documents that a long command writes with --json. */
  async jsonLines(args: readonly string[], options: CommandOptions = {}): Promise<readonly Record<string, unknown>[]> {
    const { out } = await this.run([...args, "--json"], options);
    return out
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }
}
