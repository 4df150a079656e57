export {
  DiskEngine,
  type DiskIdentity,
  type EngineOptions,
  engineCrashPoints,
  initialiseDisk,
  readDiskIdentity,
} from "./engine/index.ts";
export { type StorageNode, type StorageNodeOptions, startStorageNode } from "./service/storage-node.ts";
