import { type DataPathService, type GroupId, type GroupView, limits, StorageError } from "@cairn/protocol";
import type { DriveEnv } from "../drive-env.ts";
import { patience, retrying } from "../retry.ts";

const groupsMax = 8192;

/** Where the chunks of a group are, for up to 30 s. A view of a lower epoch never replaces one of a higher. */
export class GroupCache {
  readonly #env: DriveEnv;
  readonly #metadata: DataPathService;
  readonly #views = new Map<GroupId, { readonly view: GroupView; readonly until: number }>();

  constructor(env: DriveEnv, metadata: DataPathService) {
    this.#env = env;
    this.#metadata = metadata;
  }

  learn(views: readonly GroupView[]): void {
    const until = this.#env.clock.monotonic() + limits.groupMapTtlMs;
    for (const view of views) {
      const known = this.#views.get(view.id);
      if (known && known.view.epoch > view.epoch) continue;
      this.#views.delete(view.id);
      this.#views.set(view.id, { view, until });
    }
    for (const oldest of this.#views.keys()) {
      if (this.#views.size <= groupsMax) break;
      this.#views.delete(oldest);
    }
  }

  /** Throws not-found for a group that nobody knows. */
  async get(id: GroupId, signal?: AbortSignal): Promise<GroupView> {
    const known = this.#views.get(id);
    if (known && this.#env.clock.monotonic() < known.until) return known.view;
    return this.#fetch(id, signal);
  }

  /** What was learnt about the group is wrong: the next to ask gets a fresh view. */
  forget(id: GroupId): void {
    this.#views.delete(id);
  }

  async #fetch(id: GroupId, signal: AbortSignal | undefined): Promise<GroupView> {
    const views = await retrying(this.#env, { signal, patienceMs: patience.underWay }, () =>
      this.#metadata.groups([id]),
    );
    this.learn(views);
    const view = views.find((candidate) => candidate.id === id);
    if (!view) throw new StorageError("not-found", "find group", `group ${id}`);
    return view;
  }
}
