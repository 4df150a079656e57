import cliProgress from "cli-progress";
import { formatBytes, formatDuration, formatItems } from "./format.ts";
import type { Output } from "./output.ts";
import type { Terminal } from "./terminal.ts";
import { TransferSpeed } from "./transfer-speed.ts";

export type ProgressWanted = "auto" | "always" | "never";

/** How far a command is. */
export interface TransferState {
  readonly bytesDone: number;
  /** Undefined while nobody knows. */
  readonly bytesTotal: number | undefined;
  /** Of bytesDone: what needed no transfer. */
  readonly bytesKnown: number;
  readonly filesDone: number;
  readonly filesTotal: number | undefined;
}

const lineEveryMs = 30_000;
const forcedLineEveryMs = 1000;
const statusEveryMs = 1000;

/**
 * Shows how far a transfer is: a bar on a terminal, a line now and then elsewhere, `status` lines on stdout with --json.
 * Everything but the JSON lines goes to stderr.
 */
export class TransferProgress implements Disposable {
  readonly #output: Output;
  readonly #verb: string;
  readonly #state: () => TransferState;
  readonly #speed = new TransferSpeed();
  readonly #startedAt = performance.now();
  #bar: cliProgress.SingleBar | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** `verb` such as `Uploading`; `state` is asked whenever something is shown. */
  constructor(output: Output, verb: string, state: () => TransferState) {
    this.#output = output;
    this.#verb = verb;
    this.#state = state;
  }

  start(terminal: Terminal, wanted: ProgressWanted): this {
    const { json, quiet } = this.#output.flags;
    if (wanted === "never" || (quiet && wanted !== "always")) return this;
    const onTerminal = terminal.stderr.isTTY === true && terminal.env["TERM"] !== "dumb";
    if (json) this.#every(statusEveryMs, () => void this.#status());
    else if (onTerminal) this.#startBar(terminal);
    else this.#every(wanted === "always" ? forcedLineEveryMs : lineEveryMs, () => this.#output.note(this.describe()));
    return this;
  }

  /** One line for people: `Uploading 12 of 340 files · 84 MiB of 1.2 GiB · 92 MiB/s · about 12 s left`. */
  describe(): string {
    const state = this.#observe();
    const left = state.bytesTotal === undefined ? undefined : state.bytesTotal - state.bytesDone;
    const timeLeft = left === undefined ? undefined : this.#speed.timeLeftMs(left);
    const speed = this.#speed.bytesPerSecond;
    return [
      `${this.#verb}${describeFiles(state)}`,
      `${formatBytes(state.bytesDone)}${state.bytesTotal === undefined ? "" : ` of ${formatBytes(state.bytesTotal)}`}`,
      ...(speed === undefined ? [] : [`${formatBytes(Math.round(speed))}/s`]),
      ...(timeLeft === undefined || left === 0 ? [] : [`about ${formatDuration(timeLeft)} left`]),
    ].join(" · ");
  }

  /** Milliseconds since the start. */
  get elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#bar?.stop();
    this.#bar = undefined;
    this.#output.repaint(undefined);
  }

  #observe(): TransferState {
    const state = this.#state();
    this.#speed.observe(state.bytesDone - state.bytesKnown, performance.now());
    return state;
  }

  #startBar(terminal: Terminal): void {
    const fps = Number(terminal.env["CAIRN_PROGRESS_FPS"] ?? 10);
    const bar = new cliProgress.SingleBar({
      format: () => this.#barLine(terminal.stderr.columns ?? 80),
      stream: terminal.stderr,
      fps: fps > 0 && fps <= 10 ? fps : 10,
      clearOnComplete: true,
      hideCursor: true,
      forceRedraw: true,
      gracefulExit: false,
      linewrap: false,
    });
    bar.start(1, 0);
    this.#bar = bar;
    this.#output.repaint({ clear: () => void terminal.stderr.write("\r\u001b[2K") });
    this.#every(1000 / 10, () => bar.update(0));
  }

  #barLine(columns: number): string {
    const text = this.describe();
    const { bytesDone, bytesTotal } = this.#state();
    const colors = this.#output.messageColors;
    const room = Math.min(30, columns - text.length - 9);
    if (room < 5 || bytesTotal === undefined) return text.slice(0, columns - 1);
    const share = bytesTotal === 0 ? 1 : Math.min(1, bytesDone / bytesTotal);
    const filled = Math.floor(share * room);
    const percent = `${Math.floor(share * 100)}`.padStart(3);
    return `${colors.green("█".repeat(filled))}${colors.dim("░".repeat(room - filled))} ${percent} % ${text}`;
  }

  async #status(): Promise<void> {
    const state = this.#observe();
    await this.#output
      .document({
        type: "status",
        bytesDone: state.bytesDone,
        bytesTotal: state.bytesTotal ?? null,
        bytesKnown: state.bytesKnown,
        filesDone: state.filesDone,
        filesTotal: state.filesTotal ?? null,
        bytesPerSecond: Math.round(this.#speed.bytesPerSecond ?? 0),
        secondsElapsed: Math.round(this.elapsedMs / 100) / 10,
      })
      // A closed stdout is told by the stream's own error event.
      .catch(() => undefined);
  }

  #every(ms: number, show: () => void): void {
    this.#timer = setInterval(show, ms);
    this.#timer.unref();
  }
}

function describeFiles({ filesDone, filesTotal }: TransferState): string {
  if (filesTotal === undefined) return ` ${formatItems(filesDone, "file")}`;
  return filesTotal === 1 ? "" : ` ${filesDone} of ${formatItems(filesTotal, "file")}`;
}
