import { type BadCopy, type DataPathService, succeeded } from "@cairn/protocol";
import type { DriveEnv } from "../drive-env.ts";
import { Batcher } from "../nodes/batcher.ts";

const reportedMax = 1024;
const copiesPerReport = 128;

/** Tells the metadata server about damaged and missing copies, each once, so that they are repaired. */
export class BadCopyReports {
  readonly #env: DriveEnv;
  readonly #batcher: Batcher<BadCopy, true>;
  readonly #found;
  readonly #reported = new Set<string>();

  constructor(env: DriveEnv, metadata: DataPathService) {
    this.#env = env;
    this.#found = env.metrics.counter("cairn_drive_bad_copies_total", "Copies that a reader found bad.", ["what"]);
    this.#batcher = new Batcher({
      operation: "report bad copies",
      inFlightMax: 1,
      itemsMax: copiesPerReport,
      send: async (copies) => {
        await metadata.reportBadCopies(copies);
        return copies.map(() => succeeded(true));
      },
    });
  }

  /** Does not make the reader wait. A report that fails is made again when the copy is met again. */
  report(copy: BadCopy): void {
    const key = `${copy.id} ${copy.group} ${copy.disk}`;
    if (this.#reported.has(key)) return;
    if (this.#reported.size >= reportedMax) this.#reported.clear();
    this.#reported.add(key);
    this.#found.add(1, { what: copy.what });
    this.#env.log.warn({ chunk: copy.id, disk: copy.disk, group: copy.group, what: copy.what }, "a copy is bad");
    this.#batcher.add(copy).catch((err: unknown) => {
      this.#reported.delete(key);
      this.#env.log.warn({ chunk: copy.id, disk: copy.disk, err }, "a bad copy could not be reported");
    });
  }
}
