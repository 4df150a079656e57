import type { Clock } from "@cairn/env";
import { type GroupId, type GroupMember, type GroupView, limits } from "@cairn/protocol";
import type { ClusterMap, GroupRecord } from "../cluster/cluster-map.ts";
import type { GroupViews } from "../contracts.ts";
import { copyHealth, type HealthBoard } from "../membership/health-board.ts";
import type { TokenSigner } from "../membership/token-signer.ts";

interface CachedToken {
  readonly token: string;
  /** Monotonic ms until which it is handed out: half of its life, so that whoever gets it can use it long enough. */
  readonly until: number;
}

interface CachedView {
  readonly version: string;
  readonly view: GroupView;
}

const viewsMax = 16_384;

/** Groups as readers see them, made anew when a member's health or the membership has changed. */
export class GroupViewCache implements GroupViews {
  readonly #clock: Clock;
  readonly #cluster: { readonly map: ClusterMap; readonly health: HealthBoard };
  readonly #signer: TokenSigner;
  readonly #tokens = new Map<GroupId, CachedToken>();
  readonly #views = new Map<GroupId, CachedView>();

  constructor(clock: Clock, cluster: { readonly map: ClusterMap; readonly health: HealthBoard }, signer: TokenSigner) {
    this.#clock = clock;
    this.#cluster = cluster;
    this.#signer = signer;
  }

  async views(ids: readonly GroupId[]): Promise<readonly GroupView[]> {
    const views: GroupView[] = [];
    for (const id of new Set(ids)) {
      const group = this.#cluster.map.group(id);
      if (group) views.push(this.#view(group));
    }
    return views;
  }

  /** Members that hold the group's chunks: joining slots are not among them. */
  members(group: GroupRecord): readonly GroupMember[] {
    return membersOf(group, this.#cluster);
  }

  #view(group: GroupRecord): GroupView {
    const readToken = this.#readToken(group.id);
    const version = `${this.#cluster.map.version}/${this.#cluster.health.version}`;
    const cached = this.#views.get(group.id);
    if (cached?.version === version && cached.view.readToken === readToken) return cached.view;
    const view = { id: group.id, epoch: group.epoch, members: this.members(group), readToken };
    dropOldest(this.#views);
    this.#views.set(group.id, { version, view });
    return view;
  }

  #readToken(group: GroupId): string {
    const cached = this.#tokens.get(group);
    if (cached && cached.until > this.#clock.monotonic()) return cached.token;
    const token = this.#signer.read(group);
    this.#tokens.delete(group);
    dropOldest(this.#tokens);
    this.#tokens.set(group, { token, until: this.#clock.monotonic() + limits.readTokenTtlMs / 2 });
    return token;
  }
}

/** A group's readable members with where and how well they can be reached. */
export function membersOf(
  group: GroupRecord,
  cluster: { readonly map: ClusterMap; readonly health: HealthBoard },
): readonly GroupMember[] {
  const members: GroupMember[] = [];
  for (const slot of group.slots) {
    const disk = slot.state === "joining" ? undefined : cluster.map.disk(slot.disk);
    const node = disk && cluster.map.node(disk.node);
    if (!disk || !node) continue;
    const health = copyHealth(cluster.health.health(node.node), disk.state);
    members.push({ slot: slot.slot, disk: slot.disk, node: node.node, url: node.url, health });
  }
  return members;
}

function dropOldest<Key>(map: Map<Key, unknown>): void {
  if (map.size < viewsMax) return;
  const oldest = map.keys().next().value;
  if (oldest !== undefined) map.delete(oldest);
}
