import type { Drive } from "@cairn/protocol";
import { FileOperations } from "../workload/file-operations.ts";
import type { ClientHost } from "../world/client-host.ts";
import type { World } from "../world/world.ts";
import { type ChunkCopies, examine } from "./copies.ts";
import { databaseFindings } from "./database-audit.ts";
import type { Ledger } from "./ledger.ts";

interface Verified {
  readonly world: World;
  readonly ledger: Ledger;
  readonly drive: Drive;
}

const quietMs = 60_000;
const readingMs = 600_000;
/** How long the cluster may take to restore every copy and to sweep what nobody needs. */
const healingMs = 3_600_000;
const lookEveryMs = 60_000;

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
  await healed(world);
}

/** Nobody gives a command: all copies come back by themselves, and what nobody needs goes. */
async function healed(world: World): Promise<void> {
  const { timeline } = world;
  const endsAt = timeline.now + healingMs;
  while (!world.violation) {
    const { chunks, orphans } = await examine(world);
    const needed = chunks.filter(({ refs }) => refs > 0);
    const lost = needed.find(({ good }) => good.length === 0);
    const short = needed.filter(({ good, wanted }) => good.length < wanted);
    if (lost) world.violate("durability", `${nameOf(lost)} has no good copy on ${lost.members.join(", ")}`);
    const [first] = short;
    if (!first && orphans.length === 0) return;
    if (timeline.now >= endsAt) {
      const what = first && `${nameOf(first)} has ${first.good.length} good copies of ${first.wanted}`;
      if (first)
        world.violate("copies are restored", `${short.length} chunks lack copies: ${what}, ${await whyNot(world)}`);
      else world.violate("no orphans stay", `${orphans.length} records: ${orphans[0]}`);
    }
    await timeline.runUntil(timeline.now + lookEveryMs, () => world.violation !== undefined);
  }
}

async function whyNot({ metadata, timeline }: World): Promise<string> {
  const health = metadata.opened?.operations.health();
  const repair = health && (await timeline.run(health, readingMs)).repair;
  return repair ? `repair is ${repair.state}: ${repair.reason}` : "no metadata server runs";
}

function nameOf({ id, group }: ChunkCopies): string {
  return `chunk ${id.slice(0, 8)} of group ${group}`;
}

async function readEverything(
  operations: FileOperations,
  { world, ledger, client, drive }: Verified & { client: ClientHost },
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
