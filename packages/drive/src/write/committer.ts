import {
  type CommitId,
  type CommitRequest,
  type CommitResult,
  type DataPathService,
  limits,
  newId,
} from "@cairn/protocol";
import type { DriveEnv } from "../drive-env.ts";
import { Batcher } from "../nodes/batcher.ts";
import { abortable } from "../nodes/deadline.ts";
import { patience, retrying } from "../retry.ts";

const batchesInFlightMax = 2;

/** Hands commits to the metadata server: those of concurrent writers in one call, repeated under the same id while the outcome is unknown. */
export class Committer {
  readonly #env: DriveEnv;
  readonly #batcher: Batcher<CommitRequest, CommitResult>;

  constructor(env: DriveEnv, metadata: DataPathService) {
    this.#env = env;
    this.#batcher = new Batcher({
      operation: "commit",
      inFlightMax: batchesInFlightMax,
      itemsMax: limits.commitGroupMax,
      // Chunks, not bytes: they are what makes a request long.
      bytesMax: limits.commitEntriesMax * 8,
      bytesOf: ({ chunks }) => chunks.length + 1,
      send: (requests) => metadata.commit(requests),
    });
  }

  newCommitId(): CommitId {
    return newId("cm_", this.#env.clock.now(), this.#env.random.bytes(10));
  }

  /** Throws as DataPathService.commit. A commit that has left is not called back by the signal; only the waiting ends. */
  commit(request: CommitRequest, signal?: AbortSignal): Promise<CommitResult> {
    return abortable(
      retrying(this.#env, { signal, patienceMs: patience.underWay }, () => this.#batcher.add(request)),
      signal,
      "commit",
    );
  }
}
