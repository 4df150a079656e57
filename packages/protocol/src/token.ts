import { equalConstantTime, fromBase64Url, toBase64Url, utf8 } from "./bytes.ts";
import { isKind, StorageError } from "./errors.ts";
import {
  type DiskId,
  type GroupId,
  type LeaseId,
  type NodeId,
  parseDiskId,
  parseGroupId,
  parseLeaseId,
  parseNodeId,
} from "./ids.ts";

/** The right to add chunks of one lease to one group at one epoch. */
export interface WriteClaims {
  readonly kind: "write";
  readonly group: GroupId;
  readonly epoch: number;
  readonly lease: LeaseId;
  /** Largest chunk, in bytes. */
  readonly chunkBytesMax: number;
  /** The group's members; a node takes the chunk onto the one that is its own. */
  readonly disks: readonly DiskId[];
  /** Wall clock, ms. Decides when to try, never whether it is safe. */
  readonly expiresAt: number;
}

/** The right to read chunks of one group. */
export interface ReadClaims {
  readonly kind: "read";
  readonly group: GroupId;
  readonly expiresAt: number;
}

/** The metadata leader's right to command one node: list, delete exact generations, seal. */
export interface CommandClaims {
  readonly kind: "command";
  readonly node: NodeId;
  /** Raised when metadata is restored from a backup. */
  readonly incarnation: number;
  /** The leader's fencing epoch; a node refuses any below the highest it has seen. */
  readonly leaderEpoch: number;
  readonly expiresAt: number;
}

export type TokenClaims = WriteClaims | ReadClaims | CommandClaims;

/** HMAC-SHA256 of a message. */
export type Mac = (message: Uint8Array) => Uint8Array;

/** A longer text is no token. */
export const tokenCharactersMax = 512;

/** Bytes of the HMAC that a token and a receipt carry. */
export const macBytes = 16;

/** Signs claims for one cluster (docs/formats/token.md). `mac` holds the cluster's token key. */
export function signToken(cluster: string, claims: TokenClaims, mac: Mac): string {
  const body = spell(claims);
  return `${body}.${toBase64Url(macOf(cluster, body, mac))}`;
}

/**
 * Reads a token and checks its HMAC and its end. A token of another cluster does not pass.
 * Throws unauthenticated for anything that is not a live token.
 */
export function verifyToken(cluster: string, token: string, mac: Mac, wallMs: number): TokenClaims {
  const end = token.lastIndexOf(".");
  const body = token.slice(0, Math.max(end, 0));
  if (end < 0 || token.length > tokenCharactersMax) throw refusal("it is not a token");
  let given: Uint8Array;
  try {
    given = fromBase64Url(token.slice(end + 1));
  } catch {
    throw refusal("it is not a token");
  }
  if (!equalConstantTime(given, macOf(cluster, body, mac))) throw refusal("its signature is wrong");
  const claims = parseSigned(body);
  if (claims.expiresAt <= wallMs) throw refusal("it has expired");
  return claims;
}

/** What a newer or damaged signer wrote is no right that this version could grant. */
function parseSigned(body: string): TokenClaims {
  try {
    return parse(body);
  } catch (cause) {
    throw isKind(cause, "unauthenticated") ? cause : refusal("its claims make no sense");
  }
}

function spell(claims: TokenClaims): string {
  switch (claims.kind) {
    case "write":
      return [
        "w1",
        claims.group,
        claims.epoch,
        claims.lease,
        claims.chunkBytesMax,
        claims.disks.join("-"),
        claims.expiresAt,
      ].join(".");
    case "read":
      return ["r1", claims.group, claims.expiresAt].join(".");
    case "command":
      return ["c1", claims.node, claims.incarnation, claims.leaderEpoch, claims.expiresAt].join(".");
  }
}

function parse(body: string): TokenClaims {
  const [kind, ...fields] = body.split(".");
  const number = (index: number): number => wholeNumber(fields[index]);
  if (kind === "w1" && fields.length === 6) {
    return {
      kind: "write",
      group: parseGroupId(number(0)),
      epoch: number(1),
      lease: parseLeaseId(number(2)),
      chunkBytesMax: number(3),
      disks: (fields[4] ?? "").split("-").map((disk) => parseDiskId(wholeNumber(disk))),
      expiresAt: number(5),
    };
  }
  if (kind === "r1" && fields.length === 2)
    return { kind: "read", group: parseGroupId(number(0)), expiresAt: number(1) };
  if (kind === "c1" && fields.length === 4) {
    return {
      kind: "command",
      node: parseNodeId(fields[0] ?? ""),
      incarnation: number(1),
      leaderEpoch: number(2),
      expiresAt: number(3),
    };
  }
  throw refusal("its kind is unknown");
}

/** Decimal digits only: NaN as an end would never come. */
function wholeNumber(text: string | undefined): number {
  const value = /^\d{1,16}$/.test(text ?? "") ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw refusal("a number is expected");
  return value;
}

function macOf(cluster: string, body: string, mac: Mac): Uint8Array {
  return mac(utf8(`cairn token ${cluster} ${body}`)).subarray(0, macBytes);
}

function refusal(why: string): StorageError {
  return new StorageError("unauthenticated", "check token", why, {
    hint: "Ask the metadata server for a fresh lease or group map.",
  });
}
