import type { Clock, Disk, Log } from "@cairn/env";
import {
  fromBase64Url,
  isKind,
  limits,
  type MembershipService,
  type NodeId,
  parseNodeId,
  type RegisterRequest,
  type Registration,
  StorageError,
} from "@cairn/protocol";
import type { NamedDisk } from "./node-disks.ts";
import { readNodeFile, writeNodeFile } from "./node-files.ts";

const nodeFile = "node.json";
/** A node that knows its keys does not wait longer for a silent metadata server before it serves. */
const patienceMs = 5000;

export interface RegistrationWish {
  /** Needed the first time only. */
  readonly joinToken: string | undefined;
  readonly node: NodeId | undefined;
  readonly url: string;
  readonly version: string;
  readonly bootNonce: string;
  readonly disks: readonly NamedDisk[];
}

export interface RegistrationParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly membership: MembershipService;
  /** Where the registration is kept, 0600, so that the node can serve while the metadata server is away. */
  readonly home: Disk;
  readonly wish: RegistrationWish;
  readonly stored: Registration | undefined;
}

/** The registration of an earlier start, or undefined for a node that has never joined. Throws corrupt. */
export async function storedRegistration(home: Disk): Promise<Registration | undefined> {
  const stored = await readNodeFile<Partial<Registration> | null>(home, nodeFile);
  if (stored === undefined) return undefined;
  const { cluster, node, credential, disks, tokenKey, receiptKey } = stored ?? {};
  const texts = [cluster, node, credential, tokenKey, receiptKey];
  if (!texts.every((text) => typeof text === "string") || !Array.isArray(disks)) {
    throw new StorageError("corrupt", "read node file", nodeFile, {
      hint: "Restore the file from a backup, or let the node join anew under another name with empty disks.",
    });
  }
  return stored as Registration;
}

/** How the node stands with its cluster: joins it, comes back to it, and keeps what it was told. */
export class NodeRegistration {
  readonly #parts: RegistrationParts;
  #current: Registration | undefined;
  #renewing: Promise<Registration> | undefined;

  constructor(parts: RegistrationParts) {
    this.#parts = parts;
    this.#current = parts.stored;
  }

  /**
   * Joins, or comes back. A node that has joined before goes on with what it knows when the metadata server cannot be
   * reached or keeps silent. Throws unauthenticated, conflict, and unavailable for a first join without a server.
   */
  async open(): Promise<Registration> {
    const { clock, log, stored } = this.#parts;
    if (!stored) return this.renew();
    const stop = new AbortController();
    const silence = clock.sleep(patienceMs, stop.signal).then(() => undefined);
    try {
      const renewed = await Promise.race([this.renew(), silence]);
      if (renewed) return renewed;
      log.warn({ patienceMs }, "the metadata server keeps silent; serving with what is known");
    } catch (error) {
      if (!isKind(error, "unavailable", "overloaded")) throw error;
      log.warn({ err: error }, "the metadata server cannot be reached; serving with what is known");
    } finally {
      stop.abort();
      silence.catch(() => undefined);
    }
    return stored;
  }

  /** Registers and keeps the answer, synced. Throws as MembershipService.register, conflict (another cluster). */
  renew(): Promise<Registration> {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #renew(): Promise<Registration> {
    const { membership, home } = this.#parts;
    const registration = await this.#ask(membership);
    refuseOther(this.#current, registration);
    await writeNodeFile(home, nodeFile, registration);
    this.#current = registration;
    return registration;
  }

  /**
   * A second arrival of the request to join gives the node another credential, which nobody receives. The join token and
   * the disks then say who it is, as they did the first time.
   */
  async #ask(membership: MembershipService): Promise<Registration> {
    const { joinToken } = this.#parts.wish;
    const credential = this.#current?.credential;
    try {
      return await membership.register(await this.#request(credential ?? joinToken));
    } catch (error) {
      if (credential === undefined || joinToken === undefined || !isKind(error, "unauthenticated")) throw error;
      return membership.register(await this.#request(joinToken));
    }
  }

  async #request(secret: string | undefined): Promise<RegisterRequest> {
    const { node, url, version, bootNonce, disks } = this.#parts.wish;
    if (secret === undefined) {
      throw new StorageError("unauthenticated", "join cluster", "the node has neither joined before nor a join token", {
        hint: "Make a token on the metadata server with: cairn node add --print-join-command",
      });
    }
    const reports = disks.map(async ({ uuid, disk }) => ({ uuid, ...(await disk.space()) }));
    return { secret, node: this.#current?.node ?? node, bootNonce, url, version, disks: await Promise.all(reports) };
  }
}

/** 32 bytes of a key that travelled as base64url. Throws corrupt. */
export function keyBytes(text: string): Uint8Array {
  const bytes = fromBase64Url(text);
  if (bytes.length !== 32) throw new StorageError("corrupt", "read key", "a key has 32 bytes");
  return bytes;
}

/** Keys and names of another cluster must never replace the own ones. */
function refuseOther(current: Registration | undefined, registration: Registration): void {
  parseNodeId(registration.node);
  keyBytes(registration.tokenKey);
  keyBytes(registration.receiptKey);
  if (!current || (current.cluster === registration.cluster && current.node === registration.node)) return;
  throw new StorageError("conflict", "register node", `${registration.node} of cluster ${registration.cluster}`, {
    hint: `This node is ${current.node} of cluster ${current.cluster}. Give it the address of that cluster.`,
  });
}

/** Time between heartbeats: what the server wishes, as long as the node stays visibly alive. */
export function heartbeatMsOf({ heartbeatMs }: Registration): number {
  const wished = Number.isFinite(heartbeatMs) ? heartbeatMs : limits.heartbeatMs;
  return Math.min(Math.max(wished, 100), limits.suspectAfterMs);
}
