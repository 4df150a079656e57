export { readWholeFile, writeWholeFile } from "./atomic-file.ts";
export { DiskEngine, type DiskSpace, type EngineEnv, type EnginePut } from "./disk-engine.ts";
export { type DiskIdentity, initialiseDisk, readDiskIdentity } from "./disk-identity.ts";
export { type EngineOptions, engineCrashPoints, engineOptions } from "./engine-parts.ts";
