import { assert } from "./assert.ts";
import { equalConstantTime, fromBase64Url, toBase64Url } from "./bytes.ts";
import { type ChunkId, type DiskId, type Generation, type GroupId, hashOfChunkId } from "./ids.ts";
import { type Mac, macBytes } from "./token.ts";

/** What a receipt vouches for: these bytes are on this disk, synced. */
export interface ReceiptClaims {
  readonly id: ChunkId;
  readonly generation: Generation;
  readonly group: GroupId;
  readonly epoch: number;
  readonly length: number;
  readonly disk: DiskId;
}

/** A node's proof that a chunk is on its disk. */
export interface Receipt {
  readonly disk: DiskId;
  readonly epoch: number;
  /** base64url of 16 bytes of HMAC-SHA256 over the claims. */
  readonly mac: string;
}

/** `mac` holds the receipt key of the node. */
export function signReceipt(claims: ReceiptClaims, mac: Mac): Receipt {
  assert(fitsReceipt(claims), "the numbers of a receipt fit their fields");
  return { disk: claims.disk, epoch: claims.epoch, mac: toBase64Url(macOf(claims, mac)) };
}

export function receiptIsGenuine(claims: ReceiptClaims, receipt: Receipt, mac: Mac): boolean {
  if (receipt.disk !== claims.disk || receipt.epoch !== claims.epoch || !fitsReceipt(claims)) return false;
  try {
    return equalConstantTime(fromBase64Url(receipt.mac), macOf(claims, mac));
  } catch {
    return false;
  }
}

/** A larger number would be cut to its field, and the receipt would vouch for another claim too. */
function fitsReceipt({ generation, group, epoch, length, disk }: ReceiptClaims): boolean {
  const inFourBytes = (value: number): boolean => Number.isInteger(value) && value >= 0 && value < 2 ** 32;
  const identifier = (value: number): boolean => Number.isSafeInteger(value) && value > 0;
  return identifier(generation) && identifier(group) && [epoch, length, disk].every(inFourBytes);
}

/** Message: "CRR1", hash 32, generation 8, group 8, epoch 4, length 4, disk 4, little-endian (docs/formats/receipt.md). */
function macOf(claims: ReceiptClaims, mac: Mac): Uint8Array {
  const message = new Uint8Array(64);
  const view = new DataView(message.buffer);
  view.setUint32(0, 0x31525243, true);
  message.set(hashOfChunkId(claims.id), 4);
  view.setBigUint64(36, BigInt(claims.generation), true);
  view.setBigUint64(44, BigInt(claims.group), true);
  view.setUint32(52, claims.epoch, true);
  view.setUint32(56, claims.length, true);
  view.setUint32(60, claims.disk, true);
  return mac(message).subarray(0, macBytes);
}
