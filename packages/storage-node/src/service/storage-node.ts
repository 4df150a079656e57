import type { Disk, Env, Listener } from "@cairn/env";
import {
  CleanupStack,
  type MembershipService,
  type NodeId,
  type NodeIdentity,
  type Registration,
  StorageError,
} from "@cairn/protocol";
import { DiskEngine, type EngineOptions, initialiseDisk, readDiskIdentity } from "../engine/index.ts";
import { chunkHttp } from "./chunk-http.ts";
import { CommandFence } from "./command-fence.ts";
import { LocalChunkService } from "./local-chunk-service.ts";
import {
  HeartbeatLoop,
  keyBytes,
  newUuid,
  type RegisterWish,
  registerNode,
  storedRegistration,
} from "./node-membership.ts";
import { TokenGate } from "./token-gate.ts";

export interface StorageNodeOptions {
  readonly env: Env;
  readonly membership: MembershipService;
  /** The node's own folder: its registration and what must outlive a restart beside the chunks. */
  readonly home: Disk;
  readonly disks: readonly Disk[];
  readonly listen: { readonly host: string; readonly port: number };
  /** Base URL under which others reach the node; absent: where it listens. */
  readonly advertisedUrl?: string | undefined;
  readonly joinToken?: string | undefined;
  /** Wished for at the first join. */
  readonly node?: NodeId | undefined;
  readonly version: string;
  /** Requests under way at once, and bytes of chunks among them. */
  readonly requestsMax?: number;
  readonly bytesInFlightMax?: number;
  /** True when measurements may be read without a credential. */
  readonly openMetrics?: boolean;
  readonly engine?: Partial<EngineOptions>;
}

/** A running storage node. */
export interface StorageNode extends AsyncDisposable {
  readonly node: NodeId;
  readonly url: string;
  readonly identity: NodeIdentity;
}

/**
 * Starts a node: listens, registers, opens its disks, then serves and reports. Until it is registered it answers
 * liveness only. Throws when it cannot join, when a disk is not its own, or when another process has one of its disks.
 */
export async function startStorageNode(options: StorageNodeOptions): Promise<StorageNode> {
  const { env, home } = options;
  await using undo = new CleanupStack();
  const bootNonce = newUuid(env.random);
  let service: LocalChunkService | undefined;
  let identity: NodeIdentity | undefined;
  undo.use(await home.lock("lock"));
  const handler = chunkHttp({
    service: () => service,
    identity: () => identity as NodeIdentity,
    clock: env.clock,
    metrics: env.metrics,
    openMetrics: options.openMetrics ?? false,
  });
  const listener = undo.use(
    await env.network.serve(handler, { ...options.listen, requestsMax: options.requestsMax ?? 1024 }),
  );
  const url = options.advertisedUrl ?? urlOf(listener);

  const disks = await diskUuids(options);
  const wish: RegisterWish = {
    joinToken: options.joinToken,
    node: options.node,
    url,
    version: options.version,
    bootNonce,
    disks,
  };
  const registration = await registerNode(options.membership, home, { wish, env });
  const engines: DiskEngine[] = [];
  for (const { uuid, disk } of disks) engines.push(undo.use(await openDisk(options, { registration, uuid, disk })));
  refuseSharedGroups(engines);

  const fence = new CommandFence(home);
  await fence.load();
  const { cluster, node } = registration;
  const gate = new TokenGate({ clock: env.clock, hasher: env.hasher, cluster, key: keyBytes(registration.tokenKey) });
  const receiptKey = keyBytes(registration.receiptKey);
  const bytesInFlightMax = options.bytesInFlightMax ?? 268_435_456;
  identity = {
    cluster,
    node,
    bootNonce,
    version: options.version,
    disks: engines.map(({ identity: it }) => ({ disk: it.disk, uuid: it.uuid })),
  };
  service = new LocalChunkService({ node, engines, gate, fence, hasher: env.hasher, receiptKey, bytesInFlightMax });

  const heartbeat = undo.use(new HeartbeatLoop(env, options.membership, { registration, engines, wish, home }));
  heartbeat.start();
  env.log.info({ node, url, disks: engines.length }, "storage node is ready");
  const running = undo.move();
  return { node, url, identity, [Symbol.asyncDispose]: () => running[Symbol.asyncDispose]() };
}

/** The uuid of each disk: its own, or a new one for a folder that the node uses for the first time. */
async function diskUuids({ env, disks, home }: StorageNodeOptions): Promise<{ uuid: string; disk: Disk }[]> {
  const joinedBefore = (await storedRegistration(home)) !== undefined;
  const known: { uuid: string; disk: Disk }[] = [];
  for (const disk of disks) {
    const identity = await readDiskIdentity(disk);
    if (!identity && joinedBefore && disks.length === 1) {
      throw new StorageError("not-found", "open disk", "the node has joined before, but its disk has no disk.json", {
        hint: "Is the disk mounted? To start over with an empty disk, let the node join under a new name and an empty folder.",
      });
    }
    known.push({ uuid: identity?.uuid ?? newUuid(env.random), disk });
  }
  return known;
}

async function openDisk(
  { env, engine }: StorageNodeOptions,
  { registration, uuid, disk }: { registration: Registration; uuid: string; disk: Disk },
): Promise<DiskEngine> {
  const { cluster, node } = registration;
  if (!(await readDiskIdentity(disk))) {
    const given = registration.disks.find((it) => it.uuid === uuid);
    if (!given) throw new StorageError("conflict", "open disk", `the metadata server does not know disk ${uuid}`);
    await initialiseDisk(disk, { cluster, node, disk: given.disk, uuid });
  }
  return DiskEngine.open(env, disk, { expected: { cluster, node, uuid }, ...(engine ? { options: engine } : {}) });
}

/** Two disks of one node with the same group would count as two copies and fail as one. */
function refuseSharedGroups(engines: readonly DiskEngine[]): void {
  const seen = new Set<number>();
  for (const { group } of engines.flatMap((engine) => engine.digests())) {
    if (seen.has(group)) {
      throw new StorageError("conflict", "open disks", `group ${group} lies on two disks of this node`, {
        hint: "One of them is a copy of the other. Take it out of the node's disks.",
      });
    }
    seen.add(group);
  }
}

function urlOf(listener: Listener): string {
  const host = listener.host.includes(":") ? `[${listener.host}]` : listener.host;
  return `http://${host}:${listener.port}`;
}
