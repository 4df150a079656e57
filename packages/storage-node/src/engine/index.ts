export { readWholeFile, writeWholeFile } from "./atomic-file.ts";
export type { CopyFinding, ScrubbedRecords, ScrubStep } from "./copy-findings.ts";
export { DiskEngine, type EngineEnv, type EnginePut, type VerifyReport } from "./disk-engine.ts";
export { type DiskIdentity, initialiseDisk, readDiskIdentity } from "./disk-identity.ts";
export { type EngineOptions, engineCrashPoints, engineOptions } from "./engine-parts.ts";
export type { DiskSpace } from "./free-space.ts";
export type { Compactable, CompactionOrder, CompactionWish } from "./group-compaction.ts";
export type { TrashedGroup } from "./group-trash.ts";
export type { QuarantinedPlace } from "./quarantine.ts";
