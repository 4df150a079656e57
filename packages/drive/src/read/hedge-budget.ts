const tokensPerRequest = 0.05;
const tokensMax = 10;

/** Lets at most one read in twenty be asked of a second node, with a small reserve for bursts. */
export class HedgeBudget {
  #tokens = 1;

  /** A read that somebody wanted. */
  earn(): void {
    this.#tokens = Math.min(tokensMax, this.#tokens + tokensPerRequest);
  }

  /** True when one extra read may be sent; it is paid for then. */
  spend(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
