import type { Clock } from "@cairn/env";

/** What was asked for within the last second is not asked for again; a failure is. */
const rememberMs = 1000;

/** A value of the metadata server, remembered for a moment: a change by another gateway is seen so late at most. */
export class Remembered<Value> {
  readonly #clock: Clock;
  readonly #ask: () => Promise<Value>;
  #known: { readonly value: Promise<Value>; readonly until: number } | undefined;

  constructor(clock: Clock, ask: () => Promise<Value>) {
    this.#clock = clock;
    this.#ask = ask;
  }

  get(): Promise<Value> {
    const now = this.#clock.monotonic();
    if (this.#known && this.#known.until > now) return this.#known.value;
    const value = this.#ask();
    this.#known = { value, until: now + rememberMs };
    value.catch(() => this.forget());
    return value;
  }

  /** It was changed here. */
  forget(): void {
    this.#known = undefined;
  }
}
