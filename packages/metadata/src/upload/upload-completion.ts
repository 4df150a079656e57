import type { Sql } from "@cairn/env";
import {
  bytesOfId,
  type CommitId,
  type CommitResult,
  decodeManifest,
  limits,
  type ManifestEntry,
  type ObjectAttributes,
  StorageError,
  type UploadId,
  type WholeObject,
} from "@cairn/protocol";
import { commitOperation } from "../commit/commits.ts";
import { EtagBuilder } from "../commit/etag.ts";
import { ManifestWriter } from "../commit/manifest-pages.ts";
import { planTarget } from "../commit/target.ts";
import { writeVersion } from "../commit/version-writes.ts";
import { childEntry } from "../namespace/tree.ts";
import { type Store, treeOf } from "../sql/store.ts";
import type { Transaction } from "../sql/transaction.ts";
import { type ObjectPartRow, objectPartColumns } from "./object-parts.ts";
import { endUpload, findUpload, type UploadRow } from "./upload-row.ts";

/** Parts read in one statement. */
const partsAtOnce = 16;
/** A session that changes while it is completed is looked at so often. */
const attemptsMax = 3;

interface PartRow {
  readonly part: number;
  readonly size: number;
  readonly chunks: number;
  readonly manifest: Uint8Array;
}

/** What the parts of a session make together. */
interface Whole {
  readonly upload: UploadRow;
  readonly size: number;
  readonly chunks: number;
  readonly etag: Uint8Array;
}

/**
 * Makes an upload visible: the manifests of its parts become the version's, and the references pass over to it without
 * being touched. Nothing is assembled.
 */
export class UploadCompletion {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Throws not-found, conflict (parts missing, name), invalid (size), precondition-failed. */
  complete(commit: CommitId, id: UploadId, { size, attributes }: CompletedFile): Promise<CommitResult> {
    const check = (whole: Whole): void => {
      if (whole.size !== size) throw wrongSize(id, whole.size, size);
    };
    return this.#complete(commit, id, { check, parts: undefined, whole: attributes ? { attributes } : {} });
  }

  /** Makes these parts of an object, in this order, the object. Throws conflict (details.part: not there, or another). */
  completeObject(
    commit: CommitId,
    id: UploadId,
    { parts, ...whole }: WholeObject & { readonly parts: readonly ChosenPart[] },
  ): Promise<CommitResult> {
    return this.#complete(commit, id, { check: () => undefined, parts, whole });
  }

  async #complete(
    commit: CommitId,
    id: UploadId,
    { check, parts, whole: changes }: Completed & { readonly check: (whole: Whole) => void },
  ): Promise<CommitResult> {
    for (let attempt = 1; ; attempt++) {
      const whole = await this.#look(commit, id, parts);
      if ("replay" in whole) return whole.replay;
      check(whole);
      const weight = 16 + Math.ceil(whole.chunks / limits.manifestPageEntriesMax) * 8;
      const result = await this.#store.queue.submit(
        (tx) => this.#run(tx, commit, { ...whole, parts, whole: changes }),
        weight,
      );
      if (result !== "changed") return result;
      if (attempt === attemptsMax) {
        throw new StorageError("conflict", "complete upload", `parts of ${id} are still being put`, {
          hint: "Complete the upload when all parts have been answered.",
        });
      }
    }
  }

  /** Adds up the parts on a snapshot, outside of the write transaction: hashing a million chunks takes a while. */
  #look(
    commit: CommitId,
    id: UploadId,
    chosen: readonly ChosenPart[] | undefined,
  ): Promise<Whole | { readonly replay: CommitResult }> {
    return this.#store.database.read(async (sql) => {
      const replay = await replayOf(sql, commit);
      if (replay) return { replay };
      const upload = await findUpload(sql, id, "complete upload");
      const etag = new EtagBuilder(this.#store.hasher);
      let run: ManifestEntry[] = [];
      let size = 0;
      let chunks = 0;
      for await (const row of runsOf(sql, upload, chosen)) {
        size += row.size;
        chunks += row.chunks;
        run.push(...decodeManifest(row.manifest));
        while (run.length >= limits.manifestPageEntriesMax) {
          await etag.add(run.slice(0, limits.manifestPageEntriesMax));
          run = run.slice(limits.manifestPageEntriesMax);
        }
      }
      if (run.length > 0) await etag.add(run);
      return { upload, size, chunks, etag: await etag.finish() };
    });
  }

  async #run(tx: Transaction, commit: CommitId, whole: Whole & Completed): Promise<CommitResult | "changed"> {
    const replay = await tx.replayOf<CommitResult>(commit, commitOperation);
    if (replay) return replay.result;
    const { upload, parts } = whole;
    const aim = { ...upload.target, ...whole.whole };
    const now = await findUpload(tx.sql, upload.id, "complete upload");
    if (now.revision !== upload.revision) return "changed";
    const tree = treeOf(this.#store, tx);
    const target = await planTarget(tree, aim, { etag: whole.etag, drives: this.#store.drives });
    let result: CommitResult;
    if (target.does === "nothing") {
      await endUpload(tx, upload.bytes);
      result = { entry: childEntry(target.file, target.folder), changed: false };
    } else {
      const version = bytesOfId(tx.newVersionId());
      const manifest = new ManifestWriter(tx, version);
      for await (const row of runsOf(tx.sql, upload, parts)) await manifest.add(row.manifest);
      const { etag, size, chunks } = whole;
      const content = {
        target: aim,
        etag,
        size,
        chunks,
        manifest: await manifest.finish(),
        version,
        fromParts: parts !== undefined,
      };
      result = await writeVersion(tx, { tree, drives: this.#store.drives }, target, content);
      if (parts) await this.#letGo(tx, upload, parts);
      else {
        await tx.run("DELETE FROM upload_part WHERE upload = ?", upload.bytes);
        await tx.run("DELETE FROM upload WHERE id = ?", upload.bytes);
      }
    }
    await tx.remember(commit, commitOperation, result);
    return result;
  }

  /** The runs of the parts pass over to the version; what else was put is given back with the upload. */
  async #letGo(tx: Transaction, upload: UploadRow, chosen: readonly ChosenPart[]): Promise<void> {
    for (const { number } of chosen) {
      await tx.run(
        `DELETE FROM upload_part WHERE upload = ? AND part BETWEEN
           (SELECT first FROM object_part WHERE upload = ? AND number = ?) AND
           (SELECT first + runs - 1 FROM object_part WHERE upload = ? AND number = ?)`,
        upload.bytes,
        upload.bytes,
        number,
        upload.bytes,
        number,
      );
    }
    await tx.run("DELETE FROM object_part WHERE upload = ?", upload.bytes);
    await endUpload(tx, upload.bytes);
  }
}

/** What a session is to become. */
interface Completed {
  /** Of an object; undefined: all parts of a file. */
  readonly parts: readonly ChosenPart[] | undefined;
  /** What was not known when the session began. */
  readonly whole: Partial<WholeObject>;
}

/** A file whose parts are all there. */
export interface CompletedFile {
  readonly size: number;
  readonly attributes?: ObjectAttributes | undefined;
}

/** A part of an object as whoever completes it names it. */
export interface ChosenPart {
  readonly number: number;
  readonly tag: string;
}

function runsOf(sql: Sql, upload: UploadRow, chosen: readonly ChosenPart[] | undefined): AsyncGenerator<PartRow> {
  return chosen === undefined ? partsOf(sql, upload) : chosenRuns(sql, upload, chosen);
}

/** The runs of these parts in their order. Throws conflict when a part is not there, or is another one. */
async function* chosenRuns(sql: Sql, upload: UploadRow, chosen: readonly ChosenPart[]): AsyncGenerator<PartRow> {
  for (const { number, tag } of chosen) {
    const part = await sql.get<ObjectPartRow>(
      `SELECT ${objectPartColumns} FROM object_part WHERE upload = ? AND number = ?`,
      upload.bytes,
      number,
    );
    if (part?.tag !== tag) throw partMissing(upload, number);
    yield* await sql.all<PartRow>(
      "SELECT part, size, chunks, manifest FROM upload_part WHERE upload = ? AND part BETWEEN ? AND ? ORDER BY part",
      upload.bytes,
      part.first,
      part.first + part.runs - 1,
    );
  }
}

/** The parts in order. Throws conflict when one is missing. */
async function* partsOf(sql: Sql, upload: UploadRow): AsyncGenerator<PartRow> {
  let expected = 0;
  for (;;) {
    const rows = await sql.all<PartRow>(
      `SELECT part, size, chunks, manifest FROM upload_part WHERE upload = ? AND part >= ? ORDER BY part LIMIT ${partsAtOnce}`,
      upload.bytes,
      expected,
    );
    for (const row of rows) {
      if (row.part !== expected) throw partMissing(upload, expected);
      expected++;
      yield row;
    }
    if (rows.length < partsAtOnce) return;
  }
}

async function replayOf(sql: Sql, commit: CommitId): Promise<CommitResult | undefined> {
  const row = await sql.get<{ result: string }>("SELECT result FROM commit_log WHERE id = ?", bytesOfId(commit));
  return row && (JSON.parse(row.result) as { result: CommitResult }).result;
}

function partMissing(upload: UploadRow, part: number): StorageError {
  return new StorageError("conflict", "complete upload", `part ${part} of ${upload.id} is missing`, {
    hint: "Put the missing part, then complete again.",
    details: { part },
  });
}

function wrongSize(id: UploadId, actual: number, declared: number): StorageError {
  return new StorageError("invalid", "complete upload", `the parts of ${id} have ${actual} bytes`, {
    hint: `The size was said to be ${declared}.`,
    details: { declared, parts: actual },
  });
}
