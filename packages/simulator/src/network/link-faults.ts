/** How a network misbehaves everywhere; chances in [0, 1], times in ms. */
export interface NetworkFaults {
  /** Mean of the exponential delay of one way. */
  delayMs: number;
  /** A request, or its reply, never arrives. */
  loss: number;
  /** A request arrives a second time, up to lateMs after the first. */
  duplicate: number;
  /** A request arrives up to lateMs late, when nobody waits for its answer any more. */
  late: number;
  lateMs: number;
  /** One bit of a chunk on its way turns over. */
  flip: number;
}

export const calmNetwork: Readonly<NetworkFaults> = {
  delayMs: 0.3,
  loss: 0,
  duplicate: 0,
  late: 0,
  lateMs: 0,
  flip: 0,
};

/** Ways between machines that are cut, in one direction each. */
export class Cuts {
  readonly #cut = new Set<string>();

  cut(from: string, to: string): void {
    this.#cut.add(`${from}>${to}`);
  }

  mend(from: string, to: string): void {
    this.#cut.delete(`${from}>${to}`);
  }

  mendAll(): void {
    this.#cut.clear();
  }

  isCut(from: string, to: string): boolean {
    return this.#cut.has(`${from}>${to}`);
  }
}
