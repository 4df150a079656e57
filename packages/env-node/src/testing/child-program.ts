import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const packageFolder = fileURLToPath(new URL("../..", import.meta.url));
const loader = new URL("./source-loader.mjs", import.meta.url).href;

export interface ChildOptions {
  /** A command with its options that runs the child, such as strace. */
  readonly under?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** A program in a process of its own, which may import `@cairn/env-node`, and whose lines of output can be awaited. */
export class ChildProgram implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #exit: Promise<string>;
  readonly lines: string[] = [];
  #errors = "";
  #wake: () => void = () => undefined;
  #ended = false;

  constructor(source: string, { under = [], environment = {} }: ChildOptions = {}) {
    const node = [
      process.execPath,
      "--conditions=@cairn/source",
      "--import",
      loader,
      "--input-type=module",
      "-e",
      source,
    ];
    const [command, ...rest] = [...under, ...node];
    this.#process = spawn(command ?? "", rest, {
      cwd: packageFolder,
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const { stdout, stderr } = this.#process;
    if (!stdout || !stderr) throw new Error("a child with pipes has pipes");
    stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#errors += text;
    });
    createInterface({ input: stdout }).on("line", (line) => {
      this.lines.push(line);
      this.#wake();
    });
    this.#exit = once(this.#process, "close").then(([code, signal]) => {
      this.#ended = true;
      this.#wake();
      return String(signal ?? code);
    });
  }

  /** Waits for this many lines in all. Throws when the child ends before. */
  async linesReach(count: number): Promise<readonly string[]> {
    while (this.lines.length < count) {
      if (this.#ended) throw new Error(`the child ended after ${this.lines.length} lines: ${this.#errors}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.lines;
  }

  /** Waits for the end; gives the exit code or the name of the signal. */
  end(): Promise<string> {
    return this.#exit;
  }

  get errors(): string {
    return this.#errors;
  }

  /** As a power cut for the process: nothing of it runs any more when this returns. */
  async kill(): Promise<void> {
    if (!this.#ended) this.#process.kill("SIGKILL");
    await this.#exit;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}
