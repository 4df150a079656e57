import type { Disk, Env, Listener, Log } from "@cairn/env";
import {
  type ChunkServiceAt,
  CleanupStack,
  type MembershipService,
  type NodeId,
  type NodeIdentity,
  type Registration,
  StorageError,
} from "@cairn/protocol";
import { DiskEngine, type EngineOptions, initialiseDisk, readDiskIdentity } from "../engine/index.ts";
import { chunkHttp, type NodeServices } from "./chunk-http.ts";
import { CommandFence } from "./command-fence.ts";
import { CommandGate } from "./command-gate.ts";
import { HeartbeatLoop } from "./heartbeat-loop.ts";
import { Housekeeping } from "./housekeeping.ts";
import { LocalChunkService } from "./local-chunk-service.ts";
import { LocalNodeCommands } from "./local-node-commands.ts";
import { disksAreReady, type NamedDisk, nameDisks, newUuid } from "./node-disks.ts";
import { keyBytes, NodeRegistration, storedRegistration } from "./node-registration.ts";
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
  /** In place of the host that is listened on, where that one is no address that others can reach. */
  readonly advertisedHost?: string | undefined;
  readonly joinToken?: string | undefined;
  /** Wished for at the first join. */
  readonly node?: NodeId | undefined;
  readonly version: string;
  /** Requests under way at once, and bytes of chunks among them: so many written, and so many read. */
  readonly requestsMax?: number;
  readonly bytesInFlightMax?: number;
  /** True when measurements may be read without a credential. */
  readonly openMetrics?: boolean;
  readonly engine?: Partial<EngineOptions>;
  /** How other nodes are reached, to copy from. */
  readonly chunksAt: ChunkServiceAt;
}

/** A running storage node. Disposing of it answers what is under way, then closes the disks. */
export interface StorageNode extends AsyncDisposable {
  readonly node: NodeId;
  readonly url: string;
  readonly identity: NodeIdentity;
}

const requestsMaxDefault = 1024;
const bytesInFlightMaxDefault = 268_435_456;

/** What the node serves with; undefined while it may not serve. */
interface Serving {
  services: NodeServices | undefined;
  identity: NodeIdentity;
}

/**
 * Starts a node: listens, registers, opens its disks, then serves and reports. Until it is registered it answers
 * liveness only. Throws when it cannot join, when a disk is not its own, or when another process has one of its disks.
 */
export async function startStorageNode(options: StorageNodeOptions): Promise<StorageNode> {
  const { env, home, membership } = options;
  await using undo = new CleanupStack();
  undo.use(await home.lock("lock"));
  // Disposed of in reverse: reports end, then what is under way is answered, then the disks are closed.
  const opened = undo.use(new CleanupStack());
  const stored = await storedRegistration(home);
  const joined = (stored?.disks ?? []).map(({ uuid }) => uuid);
  const disks = await nameDisks(home, options.disks, { random: env.random, log: env.log, joined });
  const fence = new CommandFence(home);
  await fence.load();

  const bootNonce = newUuid(env.random);
  const serving: Partial<Serving> = {};
  const listener = undo.use(await listen(options, serving));
  const url = options.advertisedUrl ?? urlOf({ ...listener, host: options.advertisedHost ?? listener.host });
  const { joinToken, node, version } = options;
  const wish = { joinToken, node, url, version, bootNonce, disks };
  const { clock, log } = env;
  const registration = new NodeRegistration({ clock, log, membership, home, wish, stored });
  const registered = await registration.open();

  const engines: DiskEngine[] = [];
  for (const disk of disks) engines.push(opened.use(await openDisk(options, { registered, ...disk })));
  tellOfSharedGroups(engines, log);
  await disksAreReady(home, disks);

  // Before requests are waited for: an order that is under way would hold up the end.
  const care = undo.use(new Housekeeping(env, { disks: engines, chunksAt: options.chunksAt }));
  serving.identity = identityOf(registered, { bootNonce, version, engines });
  const serve = (current: Registration): void => {
    serving.services = servicesOf(env, current, { engines, fence, care, dropped: () => heartbeat.tellEverything() });
  };
  const displaced = (err: StorageError): void => {
    if (serving.services) log.error({ err }, "another process has this node's name; this one serves no more");
    serving.services = undefined;
  };
  serve(registered);
  const heartbeat = undo.use(
    new HeartbeatLoop(
      { ...env, membership, registration, engines, bootNonce, care, renewed: serve, displaced },
      registered,
    ),
  );
  heartbeat.start();
  care.start();
  log.info({ node: registered.node, url, disks: engines.length }, "storage node is ready");
  const running = undo.move();
  return {
    node: registered.node,
    url,
    identity: serving.identity,
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
}

function listen(options: StorageNodeOptions, serving: Partial<Serving>): Promise<Listener> {
  const { clock, log, metrics, network } = options.env;
  const handler = chunkHttp({
    serving: () => serving.services,
    identity: () => serving.identity as NodeIdentity,
    clock,
    log,
    metrics,
    openMetrics: options.openMetrics ?? false,
    bytesInFlightMax: options.bytesInFlightMax ?? bytesInFlightMaxDefault,
  });
  return network.serve(handler, { ...options.listen, requestsMax: options.requestsMax ?? requestsMaxDefault });
}

interface NodeParts {
  readonly engines: readonly DiskEngine[];
  readonly fence: CommandFence;
  readonly care: Housekeeping;
  /** A group is gone from a disk. */
  readonly dropped: () => void;
}

function servicesOf(
  { clock, hasher }: Env,
  { node, cluster, tokenKey, receiptKey }: Registration,
  { engines, fence, care, dropped }: NodeParts,
): NodeServices {
  const gate = new TokenGate({ clock, hasher, cluster, key: keyBytes(tokenKey) });
  return {
    service: new LocalChunkService({
      ...{ engines, gate, hasher, clock },
      receiptKey: keyBytes(receiptKey),
      readTook: (engine, ms) => care.readTook(engine, ms),
    }),
    commands: new LocalNodeCommands({ engines, care, dropped, gate: new CommandGate(node, { gate, fence }) }),
  };
}

async function openDisk(
  { env, engine }: StorageNodeOptions,
  { registered, uuid, disk }: NamedDisk & { registered: Registration },
): Promise<DiskEngine> {
  const { cluster, node } = registered;
  if (!(await readDiskIdentity(disk))) {
    const given = registered.disks.find((it) => it.uuid === uuid);
    if (!given) {
      throw new StorageError("conflict", "open disk", `the metadata server does not know disk ${uuid}`, {
        hint: "A new disk is taken in when the metadata server can be reached. Start the node again then.",
      });
    }
    await initialiseDisk(disk, { cluster, node, disk: given.disk, uuid });
  }
  return DiskEngine.open(env, disk, { expected: { cluster, node, uuid }, ...(engine ? { options: engine } : {}) });
}

function identityOf(
  { cluster, node }: Registration,
  { bootNonce, version, engines }: { bootNonce: string; version: string; engines: readonly DiskEngine[] },
): NodeIdentity {
  return { cluster, node, bootNonce, version, disks: engines.map(({ identity: { disk, uuid } }) => ({ disk, uuid })) };
}

/**
 * A disk that was away while another one of this node took its place in a group comes back with an old copy. Both are told to
 * the leader, who drops the one that is no member's; at most one of them ever counts.
 */
function tellOfSharedGroups(engines: readonly DiskEngine[], log: Log): void {
  const seen = new Set<number>();
  for (const { group } of engines.flatMap((engine) => engine.digests())) {
    if (seen.has(group))
      log.warn({ group }, "a group lies on two disks of this node; one of its copies will be dropped");
    seen.add(group);
  }
}

function urlOf({ host, port }: Pick<Listener, "host" | "port">): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}
