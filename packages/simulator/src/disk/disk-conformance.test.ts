import { type DiskUnderTest, describeDisk } from "../suites/disk-suite.ts";
import { CrashDisk } from "./crash-disk.ts";
import { FaultyDisk } from "./faulty-disk.ts";
import { MemoryDisk } from "./memory-disk.ts";

const nothingToPutAway = async (): Promise<void> => undefined;

describeDisk(
  "a disk in memory",
  async (): Promise<DiskUnderTest> => ({ disk: new MemoryDisk(), done: nothingToPutAway }),
);
describeDisk("a disk that crashes", async () => ({ disk: new CrashDisk(), done: nothingToPutAway }));
describeDisk("a disk that could fail", async () => ({
  disk: new FaultyDisk(new MemoryDisk()),
  done: nothingToPutAway,
}));
