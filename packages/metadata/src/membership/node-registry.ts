import type { Clock, Hasher, Log, Random, Sql, SqlDatabase } from "@cairn/env";
import {
  equalConstantTime,
  limits,
  type NodeId,
  type RegisterRequest,
  type Registration,
  StorageError,
  toBase64Url,
} from "@cairn/protocol";
import type { AccessControl } from "../auth/access-control.ts";
import { hashOfSecret, newSecret } from "../auth/secret.ts";
import type { ClusterMap, DiskRecord, NodeRecord } from "../cluster/cluster-map.ts";
import type { MetadataKeys } from "../service/metadata-keys.ts";
import type { HealthBoard } from "./health-board.ts";
import type { LiveProcessProbe } from "./live-process-probe.ts";
import { checkRegisterRequest, markMissing, nextFreeName, settleDisks } from "./registration.ts";
import type { TokenSigner } from "./token-signer.ts";

export interface RegistryWorld {
  readonly clock: Clock;
  readonly random: Random;
  readonly hasher: Hasher;
  readonly log: Log;
  readonly database: SqlDatabase;
  readonly map: ClusterMap;
  readonly health: HealthBoard;
  readonly keys: MetadataKeys;
  readonly signer: TokenSigner;
  readonly access: AccessControl;
  readonly probe: LiveProcessProbe;
}

const waitingMax = 1000;

interface Settled {
  readonly node: NodeRecord;
  readonly disks: readonly DiskRecord[];
  readonly missing: readonly DiskRecord[];
}

/** Admits storage nodes: a new one by a join token, a known one by its credential. One name, one living process. */
export class NodeRegistry {
  readonly #world: RegistryWorld;
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(world: RegistryWorld) {
    this.#world = world;
  }

  /** Throws unauthenticated, conflict, invalid, overloaded. One registration at a time: two of one name must see each other. */
  async register(request: RegisterRequest): Promise<Registration> {
    checkRegisterRequest(request);
    // Before the queue, so that nobody without a secret can keep others waiting.
    const hash = await hashOfSecret(this.#world.hasher, request.secret);
    const known = this.#nodeOf(hash);
    if (!known) await this.#world.access.checkJoinToken(request.secret);
    if (this.#waiting >= waitingMax) {
      throw new StorageError("overloaded", "register node", `${waitingMax} registrations are waiting already`, {
        hint: "Try again in a moment.",
      });
    }
    this.#waiting++;
    const turn = this.#turn
      .then(() => (known ? this.#readmit(hash, request) : this.#join(request)))
      .finally(() => this.#waiting--);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  #nodeOf(credentialHash: Uint8Array): NodeRecord | undefined {
    for (const node of this.#world.map.nodes()) {
      if (equalConstantTime(node.credentialHash, credentialHash)) return node;
    }
    return undefined;
  }

  /** A known node: after a restart of it, or after one of the metadata server. */
  async #readmit(credentialHash: Uint8Array, request: RegisterRequest): Promise<Registration> {
    // Looked up again: the credential may have been replaced while this registration waited.
    const before = this.#nodeOf(credentialHash);
    if (!before) throw new StorageError("unauthenticated", "register node", "the credential has been replaced");
    if (request.node !== undefined && request.node !== before.node) {
      throw new StorageError(
        "conflict",
        "register node",
        `the credential is that of ${before.node}, not of ${request.node}`,
        {
          hint: `Start with the name ${before.node}, or join anew with a join token and an empty data folder.`,
        },
      );
    }
    assertNotRemoved(before);
    await this.#assertAlone(before, request);
    const node = { ...before, url: request.url, version: request.version, bootNonce: request.bootNonce };
    return this.#finish(await this.#save(node, request), request.secret);
  }

  /** A new node, or one that has lost its credential, or never got it because the answer was lost: it brings its disks. */
  async #join(request: RegisterRequest): Promise<Registration> {
    const { random, hasher, map } = this.#world;
    const credential = newSecret("node", random);
    const credentialHash = await hashOfSecret(hasher, credential);
    const admitted = this.#admittedBefore(request);
    if (admitted) {
      assertNotRemoved(admitted);
      await this.#assertAlone(admitted, request);
      const { url, version, bootNonce } = request;
      const node = { ...admitted, url, version, bootNonce, credentialHash };
      return this.#finish(await this.#save(node, request), credential);
    }
    if (request.node !== undefined && map.node(request.node)) {
      throw new StorageError("conflict", "register node", `the name ${request.node} is taken`, {
        hint: `If this is the machine of ${request.node}, start it with its old data folder and credential; else leave the name out.`,
        details: { node: request.node },
      });
    }
    const settled = await this.#world.database.write(async (sql) => {
      const { url, version, bootNonce } = request;
      const name = request.node ?? (await nextFreeName(sql));
      const receiptKey = random.bytes(32);
      const duty = { duty: "active", dutyUntil: undefined } as const;
      const node: NodeRecord = { node: name, url, version, bootNonce, receiptKey, credentialHash, ...duty };
      return this.#write(sql, node, request);
    });
    return this.#finish(settled, credential);
  }

  /** The machine is the one with the disks: whoever has a join token and all disks of a node is that node. */
  #admittedBefore(request: RegisterRequest): NodeRecord | undefined {
    const { map } = this.#world;
    const uuids = new Set(request.disks.map((disk) => disk.uuid));
    for (const node of map.nodes()) {
      if (request.node !== undefined && request.node !== node.node) continue;
      const disks = map.disksOf(node.node);
      if (disks.length > 0 && disks.every((disk) => uuids.has(disk.uuid))) return node;
    }
    return undefined;
  }

  /** Throws conflict while the process that registered before still lives. */
  async #assertAlone(before: NodeRecord, request: RegisterRequest): Promise<void> {
    if (before.bootNonce === request.bootNonce || !(await this.#world.probe.isAlive(before))) return;
    const { node, url } = before;
    this.#world.log.error({ node, url, other: request.url }, "refused a second process of one node");
    throw new StorageError("conflict", "register node", `${node} runs already at ${url}`, {
      hint: `Stop one of the two processes. If this one is a clone of ${node}, let it join with an empty data folder.`,
      details: { node, url },
    });
  }

  #save(node: NodeRecord, request: RegisterRequest): Promise<Settled> {
    return this.#world.database.write((sql) => this.#write(sql, node, request));
  }

  async #write(sql: Sql, node: NodeRecord, request: RegisterRequest): Promise<Settled> {
    const now = this.#world.clock.now();
    await sql.run(
      `INSERT INTO node (name, credential_hash, receipt_key, url, boot_nonce, version, created_at, registered_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (name) DO UPDATE SET credential_hash = excluded.credential_hash, url = excluded.url,
         boot_nonce = excluded.boot_nonce, version = excluded.version, registered_at = excluded.registered_at`,
      node.node,
      node.credentialHash,
      node.receiptKey,
      node.url,
      node.bootNonce,
      node.version,
      now,
      now,
    );
    const disks = await settleDisks(sql, node.node, request.disks);
    const present = new Set(disks.map((disk) => disk.disk));
    const missing = this.#world.map
      .disksOf(node.node)
      .filter((disk) => !present.has(disk.disk))
      .map((disk): DiskRecord => ({ ...disk, state: "failed" }));
    await markMissing(
      sql,
      missing.map((disk) => disk.disk),
    );
    return { node, disks, missing };
  }

  #finish(settled: Settled, credential: string): Registration {
    const { map, health, keys, signer, log } = this.#world;
    const { node, disks, missing } = settled;
    // The duty may have been changed while this registration was written.
    const { duty, dutyUntil } = map.node(node.node) ?? node;
    map.putNode({ ...node, duty, dutyUntil });
    for (const disk of [...disks, ...missing]) map.putDisk(disk);
    health.hear(node.node);
    log.info(
      { node: node.node, url: node.url, disks: disks.length, version: node.version },
      "registered a storage node",
    );
    if (missing.length > 0) {
      log.warn(
        { node: node.node, missing: missing.map((disk) => disk.uuid) },
        "a storage node came without some of its disks",
      );
    }
    return {
      cluster: signer.identity.cluster,
      node: node.node,
      credential,
      tokenKey: toBase64Url(keys.tokenKey),
      receiptKey: toBase64Url(node.receiptKey),
      disks: disks.map(({ uuid, disk }) => ({ uuid, disk })),
      incarnation: signer.identity.incarnation,
      heartbeatMs: limits.heartbeatMs,
    };
  }

  /** The node behind a heartbeat. Throws unauthenticated. */
  async authenticate(name: NodeId, credential: string): Promise<NodeRecord> {
    const node = this.#world.map.node(name);
    const hash = await hashOfSecret(this.#world.hasher, credential);
    if (node && equalConstantTime(node.credentialHash, hash)) {
      if (node.duty === "removed") throw removed(node);
      return node;
    }
    throw new StorageError("unauthenticated", "receive heartbeat", `the credential is not that of ${name}`, {
      hint: "Start the node with its own data folder, which holds its credential.",
    });
  }
}

function assertNotRemoved(node: NodeRecord): void {
  if (node.duty === "removed") throw removed(node);
}

function removed({ node }: NodeRecord): StorageError {
  return new StorageError("conflict", "register node", `${node} was removed from the cluster for good`, {
    hint: "To use the machine again let it join anew with an empty data folder; it gets a new name.",
    details: { node, removed: true },
  });
}
