/** Every queue, retry, page, cache and body has its limit here. Bytes and milliseconds. */
export const limits = {
  /** Chunk size of a new drive, and the largest a drive may choose. */
  chunkBytesDefault: 1_048_576,
  chunkBytesMax: 4_194_304,
  chunkBytesMin: 4_096,
  /** Chunks up to this size share framed requests. */
  batchedChunkBytesMax: 65_536,
  /** A framed request carries at most so many chunks and so many payload bytes. */
  batchChunksMax: 128,
  batchBytesMax: 4_194_304,
  /** Hashes in one lookup. */
  lookupHashesMax: 256,
  /** Commits in one group. */
  commitGroupMax: 128,
  /** Read plans in one call. */
  plansMax: 32,
  /** Manifest entries in one commit or one part of an upload. */
  commitEntriesMax: 1024,
  /** Body of a metadata request. */
  metadataBodyBytesMax: 8_388_608,
  /** Manifest entries kept beside the version; more of them go to pages. */
  inlineManifestEntriesMax: 128,
  manifestPageEntriesMax: 1024,
  /** Parts of one upload session. */
  uploadPartsMax: 1_000_000,
  /** An upload session that nobody touches is dropped after this. */
  uploadIdleMs: 604_800_000,
  /** UTF-8 bytes of one name and of a whole path. */
  nameBytesMax: 255,
  /** Of an object's key, UTF-8. */
  keyBytesMax: 1024,
  objectsPerRemovalMax: 1000,
  objectPartsMax: 10_000,
  bucketDocumentBytesMax: 1_048_576,
  /** Runs of chunks in one part of an object. */
  objectPartRunsMax: 1024,
  pathBytesMax: 4096,
  /** Items of a listing. */
  pageSizeDefault: 100,
  pageSizeMax: 1000,
  leaseTtlMs: 60_000,
  leaseRenewMs: 15_000,
  /** New work moves to a new lease after this. */
  leaseRotateMs: 600_000,
  writeTokenTtlMs: 600_000,
  readTokenTtlMs: 3600_000,
  heartbeatMs: 3000,
  suspectAfterMs: 10_000,
  downAfterMs: 30_000,
  groupMapTtlMs: 30_000,
  /** A group is sealed at this size or this many records, whichever comes first. */
  groupBytesMax: 8_589_934_592,
  groupBytesMin: 268_435_456,
  groupRecordsMax: 131_072,
  writableGroupsPerDisk: 2,
  copiesMax: 8,
  /** Copies that one order to a node may ask for, and their bytes. */
  copyChunksMax: 128,
  copyBytesMax: 33_554_432,
  /** Damaged copies that one heartbeat tells of; the rest follows with the next ones. */
  badCopiesPerHeartbeatMax: 256,
  /** Events in one answer, and how long a caller may wait for the next one. */
  eventsMax: 1000,
  eventWaitMs: 25_000,
  /** Groups a writer tries for one chunk before it gives up. */
  groupsPerChunkMax: 3,
  /** First wait for a node's answer. */
  nodeTimeoutMs: 10_000,
  /** Idle pooled connections are kept this long by servers; clients drop them earlier. */
  keepAliveMs: 72_000,
  headersTimeoutMs: 30_000,
  headerBytesMax: 16_384,
  /** A body slower than this for half a minute is cut off. */
  bodyBytesPerSecondMin: 1024,
  bodyStallMs: 30_000,
  connectionsMax: 10_000,
  clockSkewMs: 60_000,
} as const;
