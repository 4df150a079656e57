import {
  appendFileSync,
  createWriteStream,
  existsSync,
  mkdirSync,
  renameSync,
  statSync,
  type WriteStream,
} from "node:fs";
import { dirname } from "node:path";

const fileBytesMax = 16 * 1024 * 1024;
const filesKept = 3;
/** Lines that may wait for a slow disk; beyond it they are counted and dropped, because memory must not grow. */
const waitingBytesMax = 8 * 1024 * 1024;
const warnLevel = 40;

/** JSON log lines in a file that is turned over by size; warnings and errors are shown on the terminal too. */
export class LogFile implements AsyncDisposable {
  readonly #path: string;
  readonly #name: string;
  readonly #toTerminal: (line: string) => void;
  #stream: WriteStream;
  #bytes: number;
  #dropped = 0;
  #closed = false;

  constructor(path: string, { name, toTerminal }: { name: string; toTerminal: (line: string) => void }) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    this.#path = path;
    this.#name = name;
    this.#toTerminal = toTerminal;
    this.#bytes = existsSync(path) ? statSync(path).size : 0;
    this.#stream = this.#open();
  }

  write(line: string): void {
    this.#show(line);
    // Who ends may still have something to say about it.
    if (this.#closed) {
      this.#append(line);
      return;
    }
    if (this.#stream.writableLength > waitingBytesMax) {
      this.#dropped++;
      return;
    }
    if (this.#bytes + line.length > fileBytesMax) this.#turnOver();
    if (this.#dropped > 0) {
      this.#stream.write(
        `{"level":40,"name":"${this.#name}","dropped":${this.#dropped},"msg":"log lines were dropped"}\n`,
      );
      this.#dropped = 0;
    }
    this.#bytes += line.length;
    this.#stream.write(line);
  }

  /** Ends when all lines are in the file. Lines that come after it are written at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await new Promise<void>((resolve) => {
      this.#stream.once("close", resolve);
      this.#stream.end();
    });
  }

  #append(line: string): void {
    try {
      appendFileSync(this.#path, line, { mode: 0o600 });
    } catch (error) {
      this.#toTerminal(`${this.#name}: the log cannot be written: ${(error as Error).message}`);
    }
  }

  #open(): WriteStream {
    const stream = createWriteStream(this.#path, { flags: "a", mode: 0o600 });
    // A full disk must not end the process that logs about it.
    stream.on("error", (error) => this.#toTerminal(`${this.#name}: the log cannot be written: ${error.message}`));
    return stream;
  }

  #turnOver(): void {
    this.#stream.end();
    for (let index = filesKept - 1; index >= 0; index--) {
      const from = index === 0 ? this.#path : `${this.#path}.${index}`;
      if (existsSync(from)) renameSync(from, `${this.#path}.${index + 1}`);
    }
    this.#bytes = 0;
    this.#stream = this.#open();
  }

  #show(line: string): void {
    try {
      const { level, msg, err } = JSON.parse(line) as { level: number; msg: string; err?: { message?: string } };
      if (level < warnLevel) return;
      const why = err?.message ? ` (${err.message})` : "";
      this.#toTerminal(`${level > warnLevel ? "error" : "warning"}  ${this.#name}: ${msg}${why}`);
    } catch {
      this.#toTerminal(line.trimEnd());
    }
  }
}
