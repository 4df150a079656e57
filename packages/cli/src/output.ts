import { type Failure, failureDocument } from "./failure.ts";
import { escapeControls } from "./format.ts";
import { type Colors, colorsFor, type Terminal, writeAll } from "./terminal.ts";

export interface OutputFlags {
  readonly json: boolean;
  readonly plain: boolean;
  readonly quiet: boolean;
  readonly color: boolean;
  readonly debug: boolean;
}

/** Something that repaints a line of stderr and must step aside while other lines are written. */
export interface Repainted {
  clear(): void;
}

/** Data goes to stdout, messages to stderr. One format per run: JSON, tab-separated, ids only, or for people. */
export class Output {
  readonly flags: OutputFlags;
  /** For text on stdout. */
  readonly colors: Colors;
  /** For text on stderr. */
  readonly messageColors: Colors;
  readonly #terminal: Terminal;
  #repainted: Repainted | undefined;

  constructor(terminal: Terminal, flags: OutputFlags) {
    this.#terminal = terminal;
    this.flags = flags;
    this.colors = colorsFor(terminal.stdout, terminal.env, flags.color);
    this.messageColors = colorsFor(terminal.stderr, terminal.env, flags.color);
  }

  /** How data is written. */
  get format(): "json" | "plain" | "ids" | "human" {
    if (this.flags.json) return "json";
    if (this.flags.quiet) return "ids";
    return this.flags.plain ? "plain" : "human";
  }

  /** Columns of the terminal that stdout is, if it is one. */
  get columns(): number | undefined {
    return this.#terminal.stdout.isTTY === true ? this.#terminal.stdout.columns : undefined;
  }

  /** One compact JSON value and a line end, whatever its size. */
  async document(value: unknown): Promise<void> {
    await this.data(`${JSON.stringify(value)}\n`);
  }

  /** Text for stdout with its line end. */
  async line(text: string): Promise<void> {
    await this.data(`${text}\n`);
  }

  /** One tab-separated line; controls within the fields are spelled out. */
  async fields(fields: readonly (string | number)[]): Promise<void> {
    await this.line(fields.map((field) => escapeControls(String(field))).join("\t"));
  }

  /** Raw data for stdout. */
  async data(data: string | Uint8Array): Promise<void> {
    if (this.#terminal.stdout.isTTY === true) this.#repainted?.clear();
    await writeAll(this.#terminal.stdout, data);
  }

  /** A message for people; silent with --quiet and --json. */
  note(text: string): void {
    if (!this.flags.quiet && !this.flags.json) this.#message(text);
  }

  /** Something that a person must see even with --quiet; silent with --json, which has other ways to say it. */
  warn(text: string): void {
    this.warnLine(`${this.messageColors.yellow("Note:")} ${text}`);
  }

  /** A line of stderr that is shown even with --quiet; silent with --json. */
  warnLine(text: string): void {
    if (!this.flags.json) this.#message(text);
  }

  /** What went wrong, what to try, and its code; with --json one document as the last line of stderr. */
  failure(failure: Failure): void {
    if (this.flags.debug) this.#stacks(failure);
    if (this.flags.json) {
      this.#message(JSON.stringify(failureDocument(failure)));
    } else {
      const colors = this.messageColors;
      const request = failure.requestId === undefined ? "" : ` · request ${failure.requestId}`;
      this.#message(`${colors.red("Error:")} ${escapeControls(failure.message)}`);
      if (failure.hint !== undefined) this.#message(`${colors.cyan("Hint:")}  ${escapeControls(failure.hint)}`);
      this.#message(colors.dim(`(${failure.code} · exit ${failure.exitCode}${request})`));
    }
  }

  /** The line that steps aside; undefined when it is gone. */
  repaint(repainted: Repainted | undefined): void {
    this.#repainted = repainted;
  }

  #stacks(failure: Failure): void {
    for (let error: unknown = failure; error instanceof Error; error = error.cause) this.#message(String(error.stack));
  }

  #message(text: string): void {
    this.#repainted?.clear();
    this.#terminal.stderr.write(`${text}\n`);
  }
}
