import type { SeedResult } from "./hunt-messages.ts";

/** What many runs did and found. */
export class HuntSummary {
  readonly violations: SeedResult[] = [];
  readonly #faults = new Map<string, number>();
  readonly #digests = new Map<number, string>();
  #seeds = 0;
  #repeated = 0;
  #operations = 0;
  #virtualMs = 0;
  #steps = 0;

  get seeds(): number {
    return this.#seeds;
  }

  /** A seed that comes a second time must have done the same. */
  add(result: SeedResult): void {
    const before = this.#digests.get(result.seed);
    if (before !== undefined) {
      this.#repeated++;
      if (before !== result.digest) {
        this.violations.push({ ...result, violation: "one seed is one run: it went another way the second time" });
      }
      return;
    }
    this.#digests.set(result.seed, result.digest);
    this.#seeds++;
    this.#operations += result.operations;
    this.#virtualMs += result.virtualMs;
    this.#steps += result.steps;
    for (const [fault, count] of result.faults) this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + count);
    if (result.violation !== undefined) this.violations.push(result);
  }

  /** Lines for people. */
  lines(wallMs: number): readonly string[] {
    const faults = [...this.#faults].sort(([, one], [, other]) => other - one);
    const hours = (this.#virtualMs / 3_600_000).toFixed(1);
    const injected = faults.reduce((sum, [, count]) => sum + count, 0);
    return [
      `${injected} faults: ${faults.map(([fault, count]) => `${count} × ${fault}`).join(", ")}`,
      `${this.#seeds} seeds (${this.#repeated} of them twice), ${this.#operations} operations, ${this.#steps} steps, ` +
        `${hours} hours of virtual time in ${Math.round(wallMs / 1000)} s`,
      ...this.violations.map(({ seed, violation }) => `seed ${seed}: ${firstLine(violation)}\n    ${repeatWith(seed)}`),
      `${this.violations.length} violations`,
    ];
  }
}

/** The command that runs a seed again and shows what happens in it. */
export function repeatWith(seed: number): string {
  return `npm run simulate -- --seed ${seed} --echo`;
}

function firstLine(text = ""): string {
  return text.split("\n", 1)[0] ?? "";
}
