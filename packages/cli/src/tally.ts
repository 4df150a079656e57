import { exitCodes } from "./exit-codes.ts";
import { Failure, failureDocument } from "./failure.ts";
import { escapeControls } from "./format.ts";
import type { Output } from "./output.ts";

const fatalCodes: ReadonlySet<string> = new Set([
  "E_USAGE",
  "E_UNREACHABLE",
  "E_OVERLOADED",
  "E_UNAUTHENTICATED",
  "E_FORBIDDEN",
  "E_NO_SPACE",
  "E_CANCELLED",
]);

/** What came of the items of a run, and how the process must end because of it. */
export class Tally {
  readonly #output: Output;
  #done = 0;
  readonly #failures: Failure[] = [];
  #failed = 0;
  #heldBack: Failure | undefined;

  constructor(output: Output) {
    this.#output = output;
  }

  get failed(): number {
    return this.#failed;
  }

  succeeded(): void {
    this.#done++;
    this.#showHeldBack();
  }

  /** Notes and shows that one item failed; throws when the failure would hit every other item as well. */
  async failedItem(subject: string, failure: Failure): Promise<void> {
    if (fatalCodes.has(failure.code)) throw failure;
    this.#failed++;
    if (this.#failures.length < 2) this.#failures.push(failure);
    if (this.#output.format === "json") {
      await this.#output.document({ ...failureDocument(failure), path: subject });
      return;
    }
    this.#showHeldBack();
    // If nothing else comes, this failure is the one that the whole run ends with, and is shown once.
    if (this.#failed === 1 && this.#done === 0) this.#heldBack = failure;
    else this.#show(failure);
  }

  /** Throws what the whole run failed with: the only failure itself, else a partial one. */
  finish(): void {
    const [first] = this.#failures;
    if (first === undefined) return;
    if (this.#failed === 1 && this.#done === 0) throw first;
    throw new Failure("E_PARTIAL", `${this.#failed} failed, ${this.#done} done`, {
      exitCode: exitCodes.partial,
      hint: "mend what is named above, then run the same command again; what is done stays done",
    });
  }

  #showHeldBack(): void {
    if (this.#heldBack) this.#show(this.#heldBack);
    this.#heldBack = undefined;
  }

  #show(failure: Failure): void {
    const colors = this.#output.messageColors;
    this.#output.warnLine(`${colors.red("Failed:")} ${escapeControls(failure.message)}`);
  }
}
