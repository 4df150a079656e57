/** Time. Wall time is for people and for deciding when to try; only monotonic time measures how long. */
export interface Clock {
  /** Wall clock, ms since 1970. May jump. */
  now(): number;
  /** Monotonic, ms, with fractions. Never goes back. */
  monotonic(): number;
  /** Ends after `ms`, or throws cancelled when the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls back once after `ms` unless cancelled; does not keep the process alive. */
  after(ms: number, callback: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}
