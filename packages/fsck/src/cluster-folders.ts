import { existsSync } from "node:fs";
import { join } from "node:path";
import { namesIn } from "./segments/disk-folder.ts";

/** Where a cluster's database and disks are, as far as this machine can reach them. */
export interface ClusterFolders {
  /** The file of the metadata database. */
  readonly database: string;
  /** Folders of disks. A function is asked again when copies are missed: disks may have been added meanwhile. */
  readonly disks: readonly string[] | (() => Promise<readonly string[]>);
}

/** What lies below the data folder of a local cluster: `metadata/metadata.sqlite` and `nodes/<name>/<disk>`. */
export function foldersBelow(data: string): ClusterFolders {
  return { database: join(data, "metadata", "metadata.sqlite"), disks: () => disksBelow(join(data, "nodes")) };
}

async function disksBelow(nodes: string): Promise<readonly string[]> {
  const disks: string[] = [];
  for (const node of (await namesIn(nodes)).toSorted()) {
    const home = join(nodes, node);
    for (const name of (await namesIn(home)).toSorted()) {
      if (existsSync(join(home, name, "disk.json"))) disks.push(join(home, name));
    }
  }
  return disks;
}
