import {
  bytesOfId,
  type CommitRequest,
  type CommitResult,
  failed,
  limits,
  type Outcome,
  StorageError,
  succeeded,
} from "@cairn/protocol";
import { childEntry } from "../namespace/tree.ts";
import { type Store, treeOf } from "../sql/store.ts";
import type { Transaction } from "../sql/transaction.ts";
import { type ChunkIntake, entriesOf } from "./chunk-intake.ts";
import { type ChunkPlan, planChunks } from "./chunk-plan.ts";
import { etagOf } from "./etag.ts";
import { writeManifest } from "./manifest-pages.ts";
import { checkTarget, planTarget } from "./target.ts";
import { writeVersion } from "./version-writes.ts";

/** Names a commit in the commit log; a completed upload answers under the same name. */
export const commitOperation = "commit";

/** Makes small files visible: storage-design §2, step 5. */
export class Commits {
  readonly #store: Store;
  readonly #intake: ChunkIntake;

  constructor(store: Store, intake: ChunkIntake) {
    this.#store = store;
    this.#intake = intake;
  }

  /** Each request keeps its own outcome; together they share a transaction. Throws too-large. */
  async commit(requests: readonly CommitRequest[]): Promise<readonly Outcome<CommitResult>[]> {
    if (requests.length > limits.commitGroupMax) {
      throw new StorageError("too-large", commitOperation, `${requests.length} commits`, {
        hint: `At most ${limits.commitGroupMax} at once.`,
      });
    }
    return await Promise.all(
      requests.map((request) =>
        this.#one(request).then(succeeded<CommitResult>, (error: unknown) => failed(error, commitOperation)),
      ),
    );
  }

  async #one(request: CommitRequest): Promise<CommitResult> {
    checkTarget(request.target);
    const plan = planChunks(request.chunks, request.lease);
    if (plan.size !== request.size) throw wrongSize(request, plan);
    const etag = await etagOf(this.#store.hasher, request.chunks);
    return await this.#store.queue.submit((tx) => this.#run(tx, request, { plan, etag }), 8 + plan.uses.length);
  }

  async #run(
    tx: Transaction,
    request: CommitRequest,
    { plan, etag }: { readonly plan: ChunkPlan; readonly etag: Uint8Array },
  ): Promise<CommitResult> {
    const replay = await tx.replayOf<CommitResult>(request.commit, commitOperation);
    if (replay) return replay.result;
    await this.#intake.checkLeases(tx, plan.leases);
    const tree = treeOf(this.#store, tx);
    const target = await planTarget(tree, request.target, { etag, drives: this.#store.drives });
    const stale = await this.#intake.check(tx, plan, target.folder.drive.copies);
    let result: CommitResult;
    if (target.does === "nothing") {
      await this.#intake.heal(tx, plan, stale);
      result = { entry: childEntry(target.file, target.folder), changed: false };
    } else {
      const taken = await this.#intake.take(tx, plan, stale);
      const version = bytesOfId(tx.newVersionId());
      const manifest = await writeManifest(tx, version, taken);
      const content = { target: request.target, etag, size: plan.size, chunks: entriesOf(taken), manifest, version };
      result = await writeVersion(tx, { tree, drives: this.#store.drives }, target, content);
    }
    await tx.remember(request.commit, commitOperation, result);
    return result;
  }
}

/** A body that was cut off on its way must never become a file. */
function wrongSize(request: CommitRequest, plan: ChunkPlan): StorageError {
  return new StorageError("invalid", commitOperation, `${request.target.name}: ${plan.size} bytes in chunks`, {
    hint: `The size was said to be ${request.size}; send the file again.`,
    details: { declared: request.size, chunks: plan.size },
  });
}
