import {
  bytesOfId,
  type CommitId,
  type CommitResult,
  type CommitTarget,
  decodeManifest,
  idFromBytes,
  limits,
  newId,
  type ObjectAttributes,
  type Page,
  type PageRequest,
  type PartRequest,
  StorageError,
  type Upload,
  type UploadId,
  type UploadPart,
  utf8,
  type WholeObject,
} from "@cairn/protocol";
import type { ChunkIntake } from "../commit/chunk-intake.ts";
import { countChunks, giveBack } from "../commit/chunk-ledger.ts";
import { type ChunkPlan, planChunks } from "../commit/chunk-plan.ts";
import { etagOf } from "../commit/etag.ts";
import { checkTarget, planTarget } from "../commit/target.ts";
import { decodeCursor, encodeCursor, pageSizeOf } from "../sql/page-cursor.ts";
import { type Store, treeOf } from "../sql/store.ts";
import type { Transaction } from "../sql/transaction.ts";
import { checkFinished, finishPart } from "./object-parts.ts";
import { type ChosenPart, UploadCompletion } from "./upload-completion.ts";
import { endUpload, findUpload, openState, type UploadRow, uploadMissing } from "./upload-row.ts";

const createOperation = "create upload";
const partOperation = "put part";

/** A page of parts ends early at so many chunks. */
const listedChunksMax = 4096;

interface PartRow {
  readonly part: number;
  readonly size: number;
  readonly chunks: number;
  readonly etag: Uint8Array;
  readonly manifest: Uint8Array;
}

/** Upload sessions: large files whose parts are durable one by one and become visible at once. */
export class Uploads {
  readonly #store: Store;
  readonly #intake: ChunkIntake;
  readonly #completion: UploadCompletion;

  constructor(store: Store, intake: ChunkIntake) {
    this.#store = store;
    this.#intake = intake;
    this.#completion = new UploadCompletion(store);
  }

  /** Looks at the target already now, so that nobody sends a terabyte to a name that is taken. Throws as commit. */
  async create(commit: CommitId, target: CommitTarget): Promise<Upload> {
    checkTarget(target);
    return await this.#store.queue.submit(async (tx) => {
      const replay = await tx.replayOf<Upload>(commit, createOperation);
      if (replay) return replay.result;
      await planTarget(treeOf(this.#store, tx), target, { etag: undefined, drives: this.#store.drives });
      const id = newId("up_", tx.now, this.#store.random.bytes(10));
      await tx.run(
        `INSERT INTO upload (id, target, state, revision, created_at, touched_at, drive, object_key)
         VALUES (?, ?, 0, 0, ?, ?, ?, ?)`,
        bytesOfId(id),
        JSON.stringify(target),
        tx.now,
        tx.now,
        bytesOfId(target.drive),
        target.key === undefined ? null : utf8(target.key),
      );
      const upload = { id, target, createdAt: tx.now };
      await tx.remember(commit, createOperation, upload);
      return upload;
    });
  }

  /** Durable like a commit. Throws not-found (upload), stale, chunk-gone, invalid, unauthenticated. */
  async putPart(request: PartRequest): Promise<void> {
    const { part, finished } = request;
    if (!Number.isSafeInteger(part) || part < 0) {
      throw new StorageError("invalid", partOperation, `part ${part}`, { hint: "Parts are numbered from 0 on." });
    }
    if (finished) checkFinished(request.part, finished);
    const plan = planChunks(request.chunks, request.lease);
    const etag = await etagOf(this.#store.hasher, request.chunks);
    await this.#store.queue.submit((tx) => this.#putPart(tx, request, { plan, etag }), 4 + 2 * plan.uses.length);
  }

  async #putPart(
    tx: Transaction,
    request: PartRequest,
    { plan, etag }: { readonly plan: ChunkPlan; readonly etag: Uint8Array },
  ): Promise<void> {
    if (await tx.replayOf(request.commit, partOperation)) return;
    const upload = await findUpload(tx.sql, request.upload, partOperation);
    if (upload.target.key === undefined && request.part >= limits.uploadPartsMax) {
      throw new StorageError("invalid", partOperation, `part ${request.part}`, {
        hint: `The last part of a file is number ${limits.uploadPartsMax - 1}.`,
      });
    }
    await this.#intake.checkLeases(tx, plan.leases);
    const drive = await this.#store.drives.byId(tx.sql, upload.target.drive);
    const stale = await this.#intake.check(tx, plan, drive.copies);
    const before = await tx.get<{ chunks: number; manifest: Uint8Array }>(
      "SELECT chunks, manifest FROM upload_part WHERE upload = ? AND part = ?",
      upload.bytes,
      request.part,
    );
    const manifest = await this.#intake.take(tx, plan, stale);
    // Taken first and given back then: what is in both parts never stands without a reference.
    if (before) await giveBack(tx, countChunks(before.manifest, 0, before.chunks));
    await tx.run(
      `INSERT INTO upload_part (upload, part, etag, size, chunks, manifest) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (upload, part) DO UPDATE SET etag = excluded.etag, size = excluded.size, chunks = excluded.chunks,
       manifest = excluded.manifest`,
      upload.bytes,
      request.part,
      etag,
      plan.size,
      plan.chunks.length,
      manifest,
    );
    if (request.finished) await finishPart(tx, upload, request.part, request.finished);
    await touchUpload(tx, upload);
    await tx.remember(request.commit, partOperation, null);
  }

  /** Parts in order; a page ends early when its parts have many chunks. Throws not-found. */
  async list(id: UploadId, page: PageRequest): Promise<Page<UploadPart>> {
    const size = pageSizeOf(page);
    const after = decodeCursor("parts", page.cursor)?.number ?? -1;
    return await this.#store.database.read(async (sql) => {
      const upload = await findUpload(sql, id, "list parts");
      const items: UploadPart[] = [];
      let chunks = 0;
      let last = after;
      for (;;) {
        const row = await sql.get<PartRow>(
          "SELECT part, size, chunks, etag, manifest FROM upload_part WHERE upload = ? AND part > ? ORDER BY part LIMIT 1",
          upload.bytes,
          last,
        );
        if (!row) return { items, cursor: undefined };
        chunks += row.chunks;
        const full = items.length === size || chunks > listedChunksMax;
        if (items.length > 0 && full) return { items, cursor: encodeCursor("parts", { number: last }) };
        items.push({ part: row.part, size: row.size, chunks: decodeManifest(row.manifest) });
        last = row.part;
      }
    });
  }

  complete(
    commit: CommitId,
    upload: UploadId,
    size: number,
    attributes?: ObjectAttributes | undefined,
  ): Promise<CommitResult> {
    return this.#completion.complete(commit, upload, { size, attributes });
  }

  /** See ObjectService.completeObject. */
  completeObject(
    commit: CommitId,
    upload: UploadId,
    object: WholeObject & { readonly parts: readonly ChosenPart[] },
  ): Promise<CommitResult> {
    return this.#completion.completeObject(commit, upload, object);
  }

  /** Gives up a session; its references are given back afterwards. One that is not there is given up already. */
  async abort(id: UploadId): Promise<void> {
    await this.#store.queue.submit((tx) => endUpload(tx, bytesOfId(id)));
  }

  /** Gives up sessions that nobody touched for uploadIdleMs, a hundred at most; tells how many. */
  expire(): Promise<number> {
    return this.#store.queue.submit(async (tx) => {
      const rows = await tx.all<{ id: Uint8Array }>(
        "SELECT id FROM upload WHERE state = 0 AND touched_at < ? ORDER BY touched_at LIMIT 100",
        tx.now - limits.uploadIdleMs,
      );
      for (const row of rows) {
        await endUpload(tx, row.id);
        this.#store.log.info({ upload: idFromBytes("up_", row.id) }, "gave up an idle upload session");
      }
      return rows.length;
    });
  }
}

async function touchUpload(tx: Transaction, upload: UploadRow): Promise<void> {
  const changed = await tx.run(
    "UPDATE upload SET touched_at = ?, revision = revision + 1 WHERE id = ? AND state = ?",
    tx.now,
    upload.bytes,
    openState,
  );
  if (changed !== 1) throw uploadMissing(upload.id, partOperation);
}
