// The work of users beside that of the cluster: small writes and reads at a fixed pace. A request that is late because the one
// before was slow counts as slow itself, so that a stall is not one bad figure but many.
import { randomFillSync } from "node:crypto";
import { round } from "./measure.mjs";

const bodyBytes = 65_536;
const writesPerSecond = 30;
const readsPerSecond = 60;

export class Foreground {
  #client;
  #folder;
  #ids = [];
  #written = 0;

  constructor(client) {
    this.#client = client;
  }

  /** Makes the files that are read, and runs long enough that all code is compiled. */
  async prepare() {
    this.#folder = `/foreground-${Date.now()}`;
    await this.#client.createFolder(this.#folder, { parents: true });
    for (let index = 0; index < 50; index++) await this.#write();
    for (let round = 0; round < 100; round++) await this.#read();
  }

  /**
   * Runs until `work` has ended, at least `secondsMin`: p50 and p99 in ms of reads and writes, and what failed. `work` may call
   * `mark(name)` where a stretch begins that has figures of its own.
   */
  async during(work, { secondsMin = 0 } = {}) {
    const samples = { read: [], write: [] };
    const marks = [{ name: "all", from: performance.now() }];
    const failures = [];
    const stop = new AbortController();
    const startedAt = performance.now();
    const lanes = [
      this.#pace(writesPerSecond, samples.write, { stop: stop.signal, failures, once: () => this.#write() }),
      this.#pace(readsPerSecond, samples.read, { stop: stop.signal, failures, once: () => this.#read() }),
    ];
    let result;
    try {
      result = await work((name) => marks.push({ name, from: performance.now() }));
      const left = secondsMin * 1000 - (performance.now() - startedAt);
      if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
    } finally {
      stop.abort();
      await Promise.all(lanes);
    }
    const stretches = marks.map(({ name, from }, index) => {
      const until = index === 0 ? Number.POSITIVE_INFINITY : (marks[index + 1]?.from ?? Number.POSITIVE_INFINITY);
      return [
        name,
        { read: percentiles(samples.read, { from, until }), write: percentiles(samples.write, { from, until }) },
      ];
    });
    return {
      result,
      seconds: round((performance.now() - startedAt) / 1000, 1),
      latency: Object.fromEntries(stretches),
      failures,
    };
  }

  async #pace(perSecond, samples, { stop, failures, once }) {
    const underWay = new Set();
    for (let due = performance.now(); !stop.aborted; due += 1000 / perSecond) {
      const wait = due - performance.now();
      if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
      const at = due;
      const request = once().then(
        () => samples.push({ at, ms: performance.now() - at }),
        (error) => failures.push(String(error)),
      );
      underWay.add(request);
      request.finally(() => underWay.delete(request));
    }
    await Promise.all(underWay);
  }

  async #write() {
    const bytes = randomFillSync(Buffer.alloc(bodyBytes));
    const name = `file-${this.#written++}`;
    this.#ids.push((await this.#client.upload({ bytes }, { folder: this.#folder, name })).entry.id);
  }

  async #read() {
    const id = this.#ids[Math.floor(Math.random() * this.#ids.length)];
    let received = 0;
    for await (const piece of (await this.#client.download(id)).bytes) received += piece.length;
    if (received !== bodyBytes) throw new Error(`read ${received} of ${bodyBytes} bytes`);
  }
}

function percentiles(samples, { from, until }) {
  const within = samples.filter(({ at }) => at >= from && at < until);
  const sorted = within.map(({ ms }) => ms).toSorted((a, b) => a - b);
  const at = (fraction) => round(sorted[Math.min(Math.floor(sorted.length * fraction), sorted.length - 1)] ?? 0, 2);
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1), samples: sorted.length };
}
