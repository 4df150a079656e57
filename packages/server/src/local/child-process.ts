import { type ChildProcess, fork } from "node:child_process";
import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import type { Clock, Log } from "@cairn/env";
import { fromWireError, StorageError } from "@cairn/protocol";
import type { ProcessOptions, RoleMessage } from "../role-process.ts";
import { handedConnection, type RoleConfig, type RoleReady } from "../roles/role-config.ts";

const entry = fileURLToPath(new URL("../child-main.js", import.meta.url));
const firstPauseMs = 200;
const pauseMsMax = 10_000;
/** A process that ran so long starts again without a pause. */
const steadyMs = 30_000;
const stopMs = 25_000;

/** `held`: taken down on purpose. */
export type ChildState = "starting" | "running" | "restarting" | "held" | "stopped";

export interface ChildPlan {
  readonly name: string;
  readonly options: ProcessOptions;
  /** Arguments of Node itself. */
  readonly nodeArguments?: readonly string[];
  /** Added to this process's own environment. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Asked at every start; told what the last start came to, so that ports stay the same. */
  readonly config: (last: RoleReady | undefined) => RoleConfig;
}

/** One process of a local cluster: started, and started again with growing pauses when it ends by itself. */
export class SupervisedProcess {
  readonly name: string;
  readonly #plan: ChildPlan;
  readonly #clock: Clock;
  readonly #log: Log;
  #child: ChildProcess | undefined;
  #state: ChildState = "stopped";
  #ready: RoleReady | undefined;
  #failures = 0;

  constructor(clock: Clock, log: Log, plan: ChildPlan) {
    this.name = plan.name;
    this.#plan = plan;
    this.#clock = clock;
    this.#log = log;
  }

  get status(): { name: string; state: ChildState; pid: number | undefined; url: string | undefined } {
    return { name: this.name, state: this.#state, pid: this.#child?.pid, url: this.#ready?.url };
  }

  /** Answers when the process serves. Throws why it cannot. */
  async start(): Promise<RoleReady> {
    this.#state = "starting";
    // A group of its own: Ctrl-C reaches the supervisor alone, which then stops its children in order.
    const detached = process.platform !== "win32";
    const execArgv = [...process.execArgv, ...(this.#plan.nodeArguments ?? [])];
    const env = { ...process.env, ...this.#plan.environment };
    const child = fork(entry, { stdio: ["ignore", "ignore", "inherit", "ipc"], detached, execArgv, env });
    this.#child = child;
    const startedAt = this.#clock.monotonic();
    const outcome = new Promise<RoleReady>((resolve, reject) => {
      child.once("message", (message: RoleMessage) => {
        if (message.type === "ready") resolve(message.ready);
        else reject(fromWireError(message.error, "start"));
      });
      child.once("error", reject);
      child.once("exit", (code, signal) =>
        reject(new StorageError("internal", "start", `${this.name} ended with ${signal ?? code}`)),
      );
    });
    child.once("exit", (code, signal) => this.#onExit(child, { code, signal, startedAt }));
    child.send({ config: this.#plan.config(this.#ready), options: this.#plan.options });
    this.#ready = await outcome;
    this.#state = "running";
    return this.#ready;
  }

  /** kill -9, and stays down until it is revived. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#state = "held";
    if (!child) return;
    const gone = exitOf(child);
    child.kill("SIGKILL");
    await gone;
  }

  async revive(): Promise<void> {
    if (this.#state !== "held") throw new StorageError("conflict", "revive", `${this.name} is ${this.#state}`);
    this.#failures = 0;
    await this.start();
  }

  /** Hands a connection over that has not been read from. False when the process does not run now. */
  hand(connection: Socket): boolean {
    if (this.#state !== "running" || !this.#child?.connected) return false;
    this.#child.send(handedConnection, connection, (error) => {
      if (error) connection.destroy();
    });
    return true;
  }

  /** From now on the end of the process is no reason to start it again. */
  expectEnd(): void {
    this.#state = "stopped";
  }

  /** Asks the process to finish; ends it after a while if it does not. */
  async stop(): Promise<void> {
    const child = this.#child;
    this.#state = "stopped";
    if (!child) return;
    const gone = exitOf(child);
    child.kill("SIGTERM");
    const timer = this.#clock.after(stopMs, () => child.kill("SIGKILL"));
    await gone;
    timer.cancel();
  }

  /** At once, whatever is under way. */
  abandon(): void {
    this.#state = "stopped";
    this.#child?.kill("SIGKILL");
  }

  #onExit(
    child: ChildProcess,
    { code, signal, startedAt }: { code: number | null; signal: string | null; startedAt: number },
  ): void {
    if (this.#child === child) this.#child = undefined;
    if (this.#state === "held" || this.#state === "stopped" || !this.#ready) return;
    this.#failures = this.#clock.monotonic() - startedAt > steadyMs ? 0 : this.#failures + 1;
    const pauseMs = Math.min(firstPauseMs * 2 ** (this.#failures - 1), pauseMsMax);
    this.#state = "restarting";
    this.#log.warn({ process: this.name, code, signal, pauseMs }, "a process ended and is started again");
    void this.#restart(pauseMs);
  }

  async #restart(pauseMs: number): Promise<void> {
    await this.#clock.sleep(pauseMs);
    if (this.#state !== "restarting") return;
    try {
      await this.start();
    } catch (error) {
      this.#log.error({ process: this.name, err: error }, "a process did not start");
      // A process that told its failure ends too, and its end leads here again by way of #onExit.
      if (!this.#child) this.#state = "restarting";
    }
  }
}

function exitOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once("exit", () => resolve()));
}
