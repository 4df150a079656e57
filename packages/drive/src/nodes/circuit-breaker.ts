const firstPauseMs = 1000;
const longestPauseMs = 30_000;
const overloadPauseMs = 250;

/**
 * Keeps new work away from a node that failed: closed while all is well; open for a pause that doubles from 1 s to
 * 30 s; then one request may try (half-open) and closes it, or opens it for longer. Times are monotonic ms.
 */
export class CircuitBreaker {
  #openedAt = Number.NEGATIVE_INFINITY;
  #openUntil = Number.NEGATIVE_INFINITY;
  #pauseMs = 0;

  /** True when a request may go to the node now. */
  allows(now: number): boolean {
    return now >= this.#openUntil;
  }

  /** A request starts. On an open breaker it is the probe, and others stay away until it has ended. */
  started(now: number): void {
    if (this.#pauseMs > 0 && now >= this.#openUntil) this.#openUntil = now + this.#pauseMs;
  }

  succeeded(): void {
    this.#pauseMs = 0;
    this.#openUntil = Number.NEGATIVE_INFINITY;
  }

  /** `startedAt`: when the failed request began; failures of requests that were under way already count once. */
  failed(now: number, startedAt: number): void {
    if (this.#pauseMs > 0 && startedAt < this.#openedAt) return;
    this.#pauseMs = Math.min(Math.max(this.#pauseMs * 2, firstPauseMs), longestPauseMs);
    this.#openedAt = now;
    this.#openUntil = now + this.#pauseMs;
  }

  /** The node lives, but wants a moment. */
  overloaded(now: number): void {
    this.#openUntil = Math.max(this.#openUntil, now + overloadPauseMs);
  }
}
