import type { Clock, Timer } from "@cairn/env";
import { StorageError } from "@cairn/protocol";

interface Alarm {
  readonly at: number;
  readonly order: number;
  readonly ring: () => void;
}

/** Microtask turns that the clock yields after each alarm, so that what it woke can set the next alarm before time goes on. */
const turnsPerAlarm = 50;

/**
 * Time that passes only when a test says so. Wall time starts at `startMs`; monotonic time at 0. `jump` moves the wall
 * clock alone, as an administrator or NTP would.
 */
export class VirtualClock implements Clock {
  #monotonic = 0;
  #wall: number;
  #order = 0;
  readonly #alarms = new Set<Alarm>();

  constructor(startMs: number = Date.UTC(2026, 0, 1)) {
    this.#wall = startMs;
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancelled = (): void => {
        timer.cancel();
        reject(new StorageError("cancelled", "wait", "the caller asked to stop"));
      };
      const timer = this.after(ms, () => {
        signal?.removeEventListener("abort", cancelled);
        resolve();
      });
      if (signal?.aborted) cancelled();
      else signal?.addEventListener("abort", cancelled, { once: true });
    });
  }

  after(ms: number, callback: () => void): Timer {
    const alarm = { at: this.#monotonic + Math.max(ms, 0), order: this.#order++, ring: callback };
    this.#alarms.add(alarm);
    return { cancel: () => void this.#alarms.delete(alarm) };
  }

  /** Lets `ms` pass: every alarm on the way rings at its moment, and what it wakes runs before time goes on. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    await settle();
    for (let next = this.#next(end); next; next = this.#next(end)) {
      this.#alarms.delete(next);
      this.#moveTo(next.at);
      next.ring();
      await settle();
    }
    this.#moveTo(end);
    await settle();
  }

  /** Moves the wall clock and nothing else; may be negative. */
  jump(ms: number): void {
    this.#wall += ms;
  }

  /** How many sleeps and alarms are pending. */
  get pending(): number {
    return this.#alarms.size;
  }

  #moveTo(at: number): void {
    const passed = Math.max(at - this.#monotonic, 0);
    this.#monotonic += passed;
    this.#wall += passed;
  }

  #next(end: number): Alarm | undefined {
    let first: Alarm | undefined;
    for (const alarm of this.#alarms) {
      if (alarm.at > end) continue;
      if (!first || alarm.at < first.at || (alarm.at === first.at && alarm.order < first.order)) first = alarm;
    }
    return first;
  }
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < turnsPerAlarm; turn++) await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
}
