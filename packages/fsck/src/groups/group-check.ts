import { join } from "node:path";
import type { MetadataDatabase } from "../database/database.ts";
import type { Findings } from "../findings.ts";
import type { Pulse } from "../pulse.ts";
import { type DiskFolder, namesIn } from "../segments/disk-folder.ts";
import type { Depth } from "../segments/layout.ts";
import { DiskCopy } from "./disk-copy.ts";
import { readGroup } from "./group-rows.ts";
import { deletedElsewhere, type GroupVerdict, judgeGroup, laggingSize, type ShortChunk } from "./group-verdict.ts";

export interface GroupCheckOptions {
  readonly depth: Depth;
  readonly partial: boolean;
  /** Wait before what looks wrong is looked at a second time. */
  readonly secondLookMs: number;
  readonly signal: AbortSignal;
}

/** How often files that vanish while they are read are looked for again. */
const attemptsMax = 5;

/**
 * Compares groups one after the other: the rows of one group and what each disk holds of it are in memory, and no more.
 * A running cluster moves, compacts and deletes meanwhile, so that only what two looks agree on is told.
 */
export class GroupCheck {
  readonly #database: MetadataDatabase;
  readonly #disks: readonly DiskFolder[];
  readonly #options: GroupCheckOptions;
  readonly #pulse: Pulse;
  #records = 0;

  constructor(
    database: MetadataDatabase,
    disks: readonly DiskFolder[],
    { pulse, ...options }: GroupCheckOptions & { readonly pulse: Pulse },
  ) {
    this.#database = database;
    this.#disks = disks;
    this.#options = options;
    this.#pulse = pulse;
  }

  /** Records that were read, each look counted once. */
  get records(): number {
    return this.#records;
  }

  /** Adds what is found to `findings`; tells the chunks that lack copies. */
  async check(group: number, findings: Findings): Promise<readonly ShortChunk[]> {
    let { verdict, records } = await this.#look(group);
    const suspected = new Set(verdict.suspicions.flatMap(({ key }) => key ?? []));
    if (suspected.size > 0) {
      await this.#pulse.wait(this.#options.secondLookMs);
      ({ verdict, records } = await this.#look(group));
    }
    this.#records += records;
    for (const suspicion of verdict.suspicions) {
      if (suspicion.key === undefined || suspected.has(suspicion.key)) findings.add(suspicion);
    }
    return verdict.short;
  }

  async #look(group: number): Promise<{ verdict: GroupVerdict; records: number }> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#lookOnce(group);
      } catch (error) {
        // Compaction and moves take files away between the listing and the reading.
        if ((error as NodeJS.ErrnoException).code !== "ENOENT" || attempt === attemptsMax) throw error;
        await this.#pulse.wait(this.#options.secondLookMs);
      }
    }
  }

  async #lookOnce(group: number): Promise<{ verdict: GroupVerdict; records: number }> {
    // The rows first: whatever they need was on the disks before it was committed.
    const rows = await this.#database.read((snapshot) => readGroup(snapshot, group));
    const copies: DiskCopy[] = [];
    for (const disk of this.#disks) {
      const there = (await namesIn(join(disk.folder, "g"))).includes(String(group));
      if (!there) continue;
      const { depth, signal } = this.#options;
      const tell = (bytes: number): void => this.#pulse.advance({ bytes });
      copies.push(await DiskCopy.read(disk, rows, { depth, signal, tell }));
      await this.#pulse.pause();
    }
    const seen = new Set(this.#disks.map(({ disk }) => disk));
    const verdict = judgeGroup(rows, copies, { partial: this.#options.partial, seen });
    const suspicions = [...verdict.suspicions, ...deletedElsewhere(rows, copies), ...laggingSize(rows, copies)];
    const records = copies.reduce((sum, copy) => sum + copy.live.records, 0);
    return { verdict: { ...verdict, suspicions }, records };
  }
}
