import { type ChildProcess, spawn } from "node:child_process";
import type { RowContext } from "../run/row-context.ts";

/** Injects into system calls of a process that runs, as strace spells it: `fdatasync:error=EIO:when=3`. */
export class Injection {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #said = "";

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stderr?.on("data", (piece) => {
      this.#said += String(piece);
    });
    this.#ended = new Promise((resolve) => child.once("exit", () => resolve()));
  }

  /** Answers when strace is attached to all threads. */
  static async into(context: RowContext, pid: number, ...injections: readonly string[]): Promise<Injection> {
    const calls = injections.map((it) => it.split(":")[0]).join(",");
    const args = ["-f", "-p", String(pid), "-e", `trace=${calls}`, "-o", "/dev/null"];
    const child = spawn("strace", [...args, ...injections.flatMap((it) => ["-e", `inject=${it}`])], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    const injection = new Injection(child);
    context.defer("end strace", () => injection.end());
    await context.until(
      "strace is attached",
      () => /attached/.test(injection.#said) || child.exitCode !== null,
      20_000,
    );
    if (child.exitCode !== null) throw new Error(`strace ended: ${injection.#said}`);
    return injection;
  }

  /** Detaches; the process goes on unharmed. */
  async end(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGTERM");
    await this.#ended;
  }
}
