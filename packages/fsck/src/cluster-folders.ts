import { existsSync } from "node:fs";
import { join } from "node:path";
import { namesIn } from "./segments/disk-folder.ts";

/** Where a cluster's database and disks are, as far as this machine can reach them. */
export interface ClusterFolders {
  /** The file of the metadata database. */
  readonly database: string;
  /** Folders of disks: those with a `disk.json`. */
  readonly disks: readonly string[];
}

/** What lies below the data folder of a local cluster: `metadata/metadata.sqlite` and `nodes/<name>/<disk>`. */
export async function foldersBelow(data: string): Promise<ClusterFolders> {
  const disks: string[] = [];
  for (const node of (await namesIn(join(data, "nodes"))).toSorted()) {
    const home = join(data, "nodes", node);
    for (const name of (await namesIn(home)).toSorted()) {
      if (existsSync(join(home, name, "disk.json"))) disks.push(join(home, name));
    }
  }
  return { database: join(data, "metadata", "metadata.sqlite"), disks };
}
