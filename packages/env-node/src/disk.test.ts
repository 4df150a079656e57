import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeDisk } from "../../simulator/src/suites/disk-suite.ts";
import { NodeDisk } from "./disk.ts";

describeDisk("the machine's disk", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cairn-disk-"));
  return { disk: new NodeDisk(folder), done: () => rm(folder, { recursive: true, force: true }) };
});
