import { setMaxListeners } from "node:events";
import { exitCodes } from "./exit-codes.ts";

/** The part of a process that signals come from. */
export interface SignalSource {
  on(signal: "SIGINT" | "SIGTERM", listener: () => void): unknown;
  off(signal: "SIGINT" | "SIGTERM", listener: () => void): unknown;
}

/** The first signal asks the command to stop cleanly; the second one ends the process at once. */
export class Interruption implements Disposable {
  readonly #controller = new AbortController();
  readonly #source: SignalSource | undefined;
  readonly #endAtOnce: (exitCode: number) => void;
  readonly #onInterrupt: () => void;
  readonly #onTerminate: () => void;
  #exitCode: number | undefined;

  /** `onFirst` is told the first signal, so that the person learns what happens. */
  constructor(source: SignalSource | undefined, actions: InterruptionActions) {
    // Every transfer under way listens; that many listeners are no leak.
    setMaxListeners(0, this.#controller.signal);
    this.#source = source;
    this.#endAtOnce = actions.endAtOnce;
    this.#onInterrupt = () => this.#receive(exitCodes.interrupted, actions.onFirst);
    this.#onTerminate = () => this.#receive(exitCodes.terminated, actions.onFirst);
    source?.on("SIGINT", this.#onInterrupt);
    source?.on("SIGTERM", this.#onTerminate);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The exit code that the first signal asks for; undefined if none came. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /** Leaves the signals to somebody else. */
  [Symbol.dispose](): void {
    this.#source?.off("SIGINT", this.#onInterrupt);
    this.#source?.off("SIGTERM", this.#onTerminate);
  }

  #receive(exitCode: number, onFirst: () => void): void {
    if (this.#exitCode !== undefined) {
      this.#endAtOnce(exitCode);
      return;
    }
    this.#exitCode = exitCode;
    onFirst();
    this.#controller.abort();
  }
}

export interface InterruptionActions {
  readonly onFirst: () => void;
  readonly endAtOnce: (exitCode: number) => void;
}
