export { AssertionError, assert } from "./assert.ts";
export {
  compareBytes,
  concatBytes,
  equalConstantTime,
  fromBase64Url,
  fromHex,
  fromUtf8,
  toBase64Url,
  toHex,
  utf8,
} from "./bytes.ts";
export {
  batchHeadBytesMax,
  type ChunkBlocks,
  crcBlockBytes,
  decodeBlocks,
  decodeGetBatch,
  decodePutBatch,
  encodeBlocks,
  encodeGetBatch,
  encodePutBatch,
  type FramedRead,
} from "./chunk-frames.ts";
export type * from "./chunk-service.ts";
export { CleanupStack } from "./cleanup-stack.ts";
export {
  asStorageError,
  type ErrorKind,
  type ErrorOptions,
  errorKinds,
  fromWireError,
  isKind,
  StorageError,
  toWireError,
  type WireError,
} from "./errors.ts";
export type * from "./group.ts";
export { recordDigest, spellDigest } from "./group-digest.ts";
export { statusOfKind } from "./http-status.ts";
export {
  type ChunkId,
  type CommitId,
  chunkIdFromHash,
  type DiskId,
  type DriveId,
  type EntryId,
  type Generation,
  type GroupId,
  generationOf,
  generationsPerLease,
  hashOfChunkId,
  type JobId,
  type LeaseId,
  leaseOfGeneration,
  type NodeId,
  parseChunkId,
  parseDiskId,
  parseGeneration,
  parseGroupId,
  parseJobId,
  parseLeaseId,
  parseNodeId,
  type UploadId,
  type VersionId,
} from "./ids.ts";
export * from "./lifecycle.ts";
export { limits } from "./limits.ts";
export {
  decodeManifest,
  encodeManifest,
  type ManifestEntry,
  type ManifestPage,
  manifestEntryBytes,
} from "./manifest.ts";
export type * from "./membership-service.ts";
export type * from "./metadata-service.ts";
export type * from "./namespace.ts";
export type * from "./node-commands.ts";
export * from "./notification.ts";
export * from "./object-lock.ts";
export * from "./objects.ts";
export type * from "./operations-service.ts";
export { failed, type Outcome, succeeded, unwrap } from "./outcome.ts";
export { type Receipt, type ReceiptClaims, receiptIsGenuine, signReceipt } from "./receipt.ts";
export { formatSettingValue, parseSettingValue } from "./setting-value.ts";
export {
  type CommandClaims,
  type Mac,
  macBytes,
  type ReadClaims,
  signToken,
  type TokenClaims,
  tokenCharactersMax,
  verifyToken,
  type WriteClaims,
} from "./token.ts";
export { bytesOfId, type IdPrefix, idFromBytes, idRange, newId, parseId, timeOfId } from "./ulid.ts";
