import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { LocalStatus } from "@cairn/server";

const entry = fileURLToPath(new URL("./server-entry.mjs", import.meta.url));
const startMs = 30_000;

/** A temporary folder that is gone at the end. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), "cairn-test-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }) };
}

/** A process of Cairn that a test started; it is ended with the test at the latest. */
export class CairnProcess implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly #ended: Promise<number | string>;
  #output = "";

  /** `start …` or `server …`, as a user types it. */
  constructor(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    this.child = spawn(process.execPath, [entry, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...environment },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on("data", (piece: Uint8Array) => {
        this.#output += String(piece);
      });
    }
    this.#ended = new Promise((resolve) => this.child.once("exit", (code, signal) => resolve(code ?? signal ?? "")));
  }

  get output(): string {
    return this.#output;
  }

  get pid(): number {
    return this.child.pid as number;
  }

  /** Ends when the process has printed that it is ready. */
  async ready(): Promise<this> {
    const limit = Date.now() + startMs;
    while (!/\bready\b/.test(this.#output)) {
      if (this.child.exitCode !== null || Date.now() > limit) throw new Error(`it did not get ready: ${this.#output}`);
      await pause(20);
    }
    return this;
  }

  /** Exit code, or the signal that ended it. */
  ended(): Promise<number | string> {
    return this.#ended;
  }

  async signal(name: "SIGKILL" | "SIGTERM" | "SIGINT"): Promise<number | string> {
    this.child.kill(name);
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) await this.signal("SIGTERM");
  }
}

/** A local cluster as `npm start` brings it up, on a folder that the test keeps. */
export class TestCluster implements AsyncDisposable {
  readonly data: string;
  readonly #process: CairnProcess;

  private constructor(data: string, started: CairnProcess) {
    this.data = data;
    this.#process = started;
  }

  static async start(
    data: string,
    args: readonly string[] = [],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<TestCluster> {
    const started = new CairnProcess(["start", "--data", data, "--port", "0", ...args], {
      XDG_CONFIG_HOME: join(data, "config"),
      ...environment,
    });
    return new TestCluster(data, await started.ready());
  }

  get output(): string {
    return this.#process.output;
  }

  get pid(): number {
    return this.#process.pid;
  }

  get profile(): { url: string; token: string } {
    return JSON.parse(readFileSync(join(this.data, "client.json"), "utf8")) as { url: string; token: string };
  }

  async status(): Promise<LocalStatus> {
    return (await this.#control("GET", "/status")) as LocalStatus;
  }

  async pidOf(name: string): Promise<number> {
    const found = (await this.status()).processes.find((it) => it.name === name);
    if (!found?.pid) throw new Error(`${name} does not run`);
    return found.pid;
  }

  /** kill -9, and stays down. */
  async kill(name: string): Promise<void> {
    await this.#control("POST", `/kill/${name}`);
  }

  async revive(name: string): Promise<void> {
    await this.#control("POST", `/revive/${name}`);
  }

  signal(name: "SIGKILL" | "SIGTERM" | "SIGINT"): Promise<number | string> {
    return this.#process.signal(name);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }

  async #control(method: string, path: string): Promise<unknown> {
    const { url, secret } = JSON.parse(readFileSync(join(this.data, "run", "supervisor.json"), "utf8")) as {
      url: string;
      secret: string;
    };
    const reply = await fetch(url + path, { method, headers: { authorization: `Bearer ${secret}` } });
    if (!reply.ok) throw new Error(await reply.text());
    return reply.json();
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Asks again until the answer is true. */
export async function until(what: string, check: () => Promise<boolean> | boolean, limitMs = 30_000): Promise<void> {
  const limit = Date.now() + limitMs;
  while (!(await check())) {
    if (Date.now() > limit) throw new Error(`did not come true: ${what}`);
    await pause(50);
  }
}

/** True while a process with this id runs. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
