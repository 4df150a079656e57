import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import type { RowContext } from "../run/row-context.ts";
import { hasProgram } from "./shell.ts";

/** The `cairn` command. */
export const cairn: string = fileURLToPath(
  new URL(`${import.meta.url.includes("/faults/dist/") ? "../" : ""}../../packages/cli/bin/cairn.js`, import.meta.url),
);
const outputMax = 256 * 1024;
const startMs = 60_000;
/** Whatever ends the harness ends what it started. */
const leash = hasProgram("setpriv") ? ["setpriv", "--pdeathsig", "KILL", "--"] : [];

export interface ProcessPlan {
  readonly name: string;
  /** Of the `cairn` command. */
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** A program that becomes the process after setting something up, such as `ip netns exec NAME`. */
  readonly prefix?: readonly string[];
}

/** One process of Cairn under the harness: started, killed, stopped, started again. */
export class CairnProcess {
  readonly name: string;
  readonly #plan: ProcessPlan;
  readonly #context: RowContext;
  #child: ChildProcess | undefined;
  #ended: Promise<number | string> = Promise.resolve("");
  #output = "";
  #sinceStart = 0;

  constructor(context: RowContext, plan: ProcessPlan) {
    this.name = plan.name;
    this.#plan = plan;
    this.#context = context;
    context.defer(`end ${plan.name}`, () => this.kill());
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined || !this.isRunning) throw new Error(`${this.name} does not run`);
    return pid;
  }

  get isRunning(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** All that it has printed since the harness began. */
  get output(): string {
    return this.#output;
  }

  /** What it has printed since its last start. */
  get lastOutput(): string {
    return this.#output.slice(this.#sinceStart);
  }

  /** Where it serves. */
  get url(): string {
    const url = /ready\s+(http:\S+)/.exec(this.lastOutput)?.[1];
    if (url === undefined) throw new Error(`${this.name} has not said where it serves`);
    return url;
  }

  /** Starts it and does not wait. `environment` holds for this start only. */
  launch(environment: Readonly<Record<string, string>> = {}): void {
    if (this.isRunning) throw new Error(`${this.name} runs already`);
    this.#sinceStart = this.#output.length;
    const [program = "", ...args] = [
      ...leash,
      ...(this.#plan.prefix ?? []),
      process.execPath,
      cairn,
      ...this.#plan.args,
    ];
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1", ...this.#plan.environment, ...environment },
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (piece: Uint8Array) => this.#hear(String(piece)));
    this.#ended = new Promise((resolve) => child.once("exit", (code, signal) => resolve(code ?? signal ?? "")));
  }

  /** Starts it and waits until it serves. Throws what it said when it ends instead. */
  async start(environment: Readonly<Record<string, string>> = {}): Promise<this> {
    this.launch(environment);
    const limit = performance.now() + startMs;
    while (!/\bready\b/.test(this.lastOutput)) {
      if (!this.isRunning || performance.now() > limit) {
        throw new Error(`${this.name} did not get ready: ${this.lastOutput.slice(-1000)}`);
      }
      await this.#context.pause(20);
    }
    return this;
  }

  /** Exit code, or the signal that ended it. */
  ended(): Promise<number | string> {
    return this.#ended;
  }

  /** Its end within so many ms, or undefined while it still runs. */
  async endsWithin(ms: number): Promise<number | string | undefined> {
    const spent = await this.#context.becomes(() => !this.isRunning, ms);
    return spent === undefined ? undefined : this.#ended;
  }

  async kill(): Promise<void> {
    if (this.isRunning) this.#child?.kill("SIGKILL");
    await this.#ended;
  }

  /** Asks it to stop in order; answers its exit code. */
  async stop(): Promise<number | string> {
    if (this.isRunning) this.#child?.kill("SIGTERM");
    return this.#ended;
  }

  freeze(): void {
    process.kill(this.pid, "SIGSTOP");
  }

  thaw(): void {
    if (this.isRunning) process.kill(this.pid, "SIGCONT");
  }

  #hear(text: string): void {
    this.#output += text;
    const surplus = this.#output.length - outputMax;
    if (surplus <= 0) return;
    this.#output = this.#output.slice(surplus);
    this.#sinceStart = Math.max(0, this.#sinceStart - surplus);
  }
}

/** A port of loopback that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}
