export {
  DiskEngine,
  type DiskIdentity,
  type EngineOptions,
  engineCrashPoints,
  initialiseDisk,
  readDiskIdentity,
} from "./engine/index.ts";
export { type StorageNode, type StorageNodeOptions, startStorageNode } from "./service/storage-node.ts";
export { LocalDisks } from "./short-circuit/local-disks.ts";
export { shortCircuitAt } from "./short-circuit/short-circuit-chunks.ts";
