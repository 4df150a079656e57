export { VirtualClock } from "./clock/virtual-clock.ts";
export { CrashDisk, type CrashDiskOptions } from "./disk/crash-disk.ts";
export type { CrashState } from "./disk/crash-replay.ts";
export { type DiskImage, emptyImage } from "./disk/disk-image.ts";
export type { DiskOperation } from "./disk/disk-operation.ts";
export { type DiskCall, type DiskCallName, type DiskFault, type FaultPlan, FaultyDisk } from "./disk/faulty-disk.ts";
export { MemoryDisk, type MemoryDiskOptions } from "./disk/memory-disk.ts";
export { SeededRandom } from "./random/seeded-random.ts";
