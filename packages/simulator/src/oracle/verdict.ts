import type { Drive } from "@cairn/protocol";
import { FileOperations } from "../workload/file-operations.ts";
import type { ClientHost } from "../world/client-host.ts";
import type { World } from "../world/world.ts";
import { examine } from "./copies.ts";
import { databaseFindings } from "./database-audit.ts";
import type { Ledger } from "./ledger.ts";

/** What a run may expect at its end. */
export interface Promises {
  /** Some machines are gone for good, and their copies with them. */
  readonly lostMachines: boolean;
}

interface Verified {
  readonly world: World;
  readonly ledger: Ledger;
  readonly drive: Drive;
  readonly promises: Promises;
}

const quietMs = 180_000;
const readingMs = 600_000;

/** Nothing goes wrong any more: everything that was acknowledged must be there, whole, and counted right. */
export async function verifyWorld({ world, ledger, drive }: Verified): Promise<void> {
  const { timeline } = world;
  await timeline.runUntil(timeline.now + quietMs, () => world.violation !== undefined);
  const client = world.clients[0];
  if (!client || world.violation) return;
  const operations = new FileOperations({ world, ledger, drive }, client, world.will);
  const reading = readEverything(operations, { world, ledger, client, drive });
  await timeline.run(reading, readingMs).catch((error: Error) => world.violate("everything ends", error.message));
  if (world.violation) return;
  for (const finding of await databaseFindings(world.metadata.database)) world.violate("counters", finding);
  const { chunks } = await examine(world);
  for (const { id, group, refs, good, members } of chunks) {
    if (refs > 0 && good.length === 0) {
      world.violate(
        "durability",
        `chunk ${id.slice(0, 8)} of group ${group} has no good copy on ${members.join(", ")}`,
      );
    }
  }
}

async function readEverything(
  operations: FileOperations,
  { world, ledger, client, drive }: Omit<Verified, "promises"> & { client: ClientHost },
): Promise<void> {
  for (const path of ledger.paths()) {
    if (!(await operations.read(path))) world.violate("liveness", `${path} cannot be read although all is well`);
    if (world.violation) return;
  }
  if (!(await operations.list())) world.violate("liveness", "the folder cannot be listed although all is well");
  for (const version of ledger.keptVersions()) {
    await operations.readVersion(version);
    if (world.violation) return;
  }
  const { name, bytes } = { name: "after-all", bytes: new Uint8Array([1, 2, 3]) };
  const target = { drive: drive.id, parent: drive.root, name, onConflict: "version" as const };
  await client.parts.writer.write(target, { bytes });
}
