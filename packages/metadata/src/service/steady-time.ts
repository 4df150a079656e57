import type { Clock } from "@cairn/env";

/** Wall clock ms that a clock which is set forward while the server runs does not hasten: nothing grows old by that. */
export class SteadyTime {
  readonly #clock: Clock;
  readonly #startedAt: { readonly wall: number; readonly monotonic: number };

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedAt = { wall: clock.now(), monotonic: clock.monotonic() };
  }

  now(): number {
    const { wall, monotonic } = this.#startedAt;
    return Math.min(this.#clock.now(), wall + this.#clock.monotonic() - monotonic);
  }
}
