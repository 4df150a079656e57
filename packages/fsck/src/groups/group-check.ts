import { join } from "node:path";
import type { AffectedChunk } from "../database/affected-files.ts";
import type { MetadataDatabase } from "../database/database.ts";
import type { Findings } from "../findings.ts";
import type { Pulse } from "../pulse.ts";
import { type DiskFolder, namesIn } from "../segments/disk-folder.ts";
import type { Depth } from "../segments/layout.ts";
import { DiskCopy } from "./disk-copy.ts";
import { type GroupRows, readGroup } from "./group-rows.ts";
import {
  deletedElsewhere,
  type GroupVerdict,
  judgeGroup,
  laggingSize,
  type ShortChunk,
  type Sight,
  tellLacking,
  tellShort,
} from "./group-verdict.ts";

export interface GroupCheckOptions {
  readonly depth: Depth;
  readonly partial: boolean;
  /** Wait before what looks wrong is looked at a second time. */
  readonly secondLookMs: number;
  /** Chunks of a group that are told in words. */
  readonly limit: number;
  readonly signal: AbortSignal;
}

interface Look extends GroupVerdict {
  readonly rows: GroupRows;
  readonly copies: readonly DiskCopy[];
}

/** How often files that vanish while they are read are looked for again. */
const attemptsMax = 5;

/**
 * Compares groups one after the other: the rows of one group and what each disk holds of it are in memory, and no more.
 * A running cluster moves, compacts and deletes meanwhile, so that only what two looks agree on is told.
 */
export class GroupCheck {
  readonly #database: MetadataDatabase;
  #disks: readonly DiskFolder[];
  readonly #find: () => Promise<readonly DiskFolder[]>;
  readonly #options: GroupCheckOptions;
  readonly #pulse: Pulse;
  #records = 0;

  constructor(
    database: MetadataDatabase,
    { disks, find }: { readonly disks: readonly DiskFolder[]; readonly find: () => Promise<readonly DiskFolder[]> },
    { pulse, ...options }: GroupCheckOptions & { readonly pulse: Pulse },
  ) {
    this.#database = database;
    this.#disks = disks;
    this.#find = find;
    this.#options = options;
    this.#pulse = pulse;
  }

  get #sight(): Sight {
    return { partial: this.#options.partial, seen: new Set(this.#disks.map(({ disk }) => disk)) };
  }

  /** Records that were read, each look counted once. */
  get records(): number {
    return this.#records;
  }

  /** Adds what is found to `findings`; tells the chunks that lack copies. */
  async check(group: number, findings: Findings): Promise<readonly AffectedChunk[]> {
    let look = await this.#look(group);
    const suspected = keysOf(look);
    if (suspected.size > 0) {
      await this.#pulse.wait(this.#options.secondLookMs);
      // Copies may have gone to a disk that was added meanwhile.
      this.#disks = await this.#find();
      look = await this.#look(group);
    }
    for (const suspicion of look.suspicions) {
      if (suspicion.key === undefined || suspected.has(suspicion.key)) findings.add(suspicion);
    }
    this.#records += look.copies.reduce((sum, copy) => sum + copy.live.records, 0);
    const { hashes } = look.rows.chunks;
    const short = look.short.filter(({ index }) => suspected.has(hashes.hexAt(index)));
    this.#tell(look, short, findings);
    return short.map(({ index, lost }) => ({ hash: Uint8Array.from(hashes.at(index)), lost }));
  }

  /** The first ones in words, the others as a sum: a lost disk may lack a hundred thousand chunks of a group. */
  #tell({ rows, copies }: Look, short: readonly ShortChunk[], findings: Findings): void {
    for (const suspicion of tellLacking(rows, copies, { short, sight: this.#sight })) findings.add(suspicion);
    for (const [index, chunk] of short.entries()) {
      if (index < this.#options.limit) findings.add(tellShort(rows, copies, { ...chunk, sight: this.#sight }));
      else findings.count(chunk.lost ? "chunk-lost" : "chunk-short", rows.chunks.lengths[chunk.index] ?? 0);
    }
  }

  async #look(group: number): Promise<Look> {
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

  async #lookOnce(group: number): Promise<Look> {
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
    const verdict = judgeGroup(rows, copies, this.#sight);
    const suspicions = [...verdict.suspicions, ...deletedElsewhere(rows, copies), ...laggingSize(rows, copies)];
    return { rows, copies, suspicions, short: verdict.short };
  }
}

/** What is told only when a second look finds it again: keys of findings and the names of chunks. */
function keysOf({ rows, suspicions, short }: Look): ReadonlySet<string> {
  const chunks = short.map(({ index }) => rows.chunks.hashes.hexAt(index));
  return new Set([...suspicions.flatMap(({ key }) => key ?? []), ...chunks]);
}
