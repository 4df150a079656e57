import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Swarm } from "../faults/swarm.ts";
import type { SeedOrder, SeedResult } from "./hunt-messages.ts";

/** A seed that takes longer than this hangs: its world goes on without its time going on. */
const wallMsMax = 1_200_000;
const outputKept = 4000;

/** Processes that run seeds, one each at a time. */
export class WorkerPool implements Disposable {
  readonly #children = new Set<ChildProcess>();
  readonly #swarm: Partial<Swarm>;

  constructor(swarm: Partial<Swarm>) {
    this.#swarm = swarm;
  }

  [Symbol.dispose](): void {
    for (const child of this.#children) child.kill();
  }

  /** Takes seeds from `next` until there are none; a worker that dies of a seed is replaced. */
  async work(next: () => number | undefined, told: (result: SeedResult) => void): Promise<void> {
    let child: ChildProcess | undefined;
    for (let seed = next(); seed !== undefined; seed = next()) {
      if (!child?.connected) child = this.#start();
      told(await this.#run(child, { seed, swarm: this.#swarm }));
    }
    child?.disconnect();
  }

  #start(): ChildProcess {
    const child = fork(fileURLToPath(new URL("../main.js", import.meta.url)), ["--worker"], {
      silent: true,
      // Refusals are part of daily life here, and their stacks cost time.
      execArgv: ["--max-semi-space-size=64", "--stack-trace-limit=4"],
    });
    this.#children.add(child);
    child.on("exit", () => this.#children.delete(child));
    return child;
  }

  #run(child: ChildProcess, order: SeedOrder): Promise<SeedResult> {
    return new Promise((resolve) => {
      let output = "";
      const hear = (bytes: Buffer): void => {
        output = (output + bytes.toString()).slice(-outputKept);
      };
      const end = (result: SeedResult): void => {
        clearTimeout(timer);
        child.removeAllListeners("message");
        child.removeAllListeners("close");
        child.stderr?.removeListener("data", hear);
        resolve(result);
      };
      const timer = setTimeout(() => child.kill("SIGKILL"), wallMsMax);
      child.stderr?.on("data", hear);
      child.once("message", (result) => end(result as SeedResult));
      child.once("close", (code, signal) => end(diedOf(order, `${code ?? signal}: ${output.trim()}`)));
      child.send(order);
    });
  }
}

/** The process itself did not outlive the run: an error that nobody caught, or a loop that never ended. */
function diedOf({ seed }: SeedOrder, why: string): SeedResult {
  return {
    ...{ seed, operations: 0, virtualMs: 0, steps: 0, digest: "", wallMs: 0, faults: [], lastLines: [] },
    violation: `no error escapes: the process ended with ${why}`,
  };
}
