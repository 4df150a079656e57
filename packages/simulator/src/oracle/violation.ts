/** A promise of the system that a run has seen broken. */
export class Violation extends Error {
  override readonly name: string = "Violation";
  readonly oracle: string;

  constructor(oracle: string, message: string) {
    super(`${oracle}: ${message}`);
    this.oracle = oracle;
  }
}
