import type { LeaseId } from "@cairn/protocol";
import { raiseNumbers } from "../../cluster/number-source.ts";
import type { CollectionWorld } from "../collection-world.ts";

/** Other disks may hold chunks of later leases that nobody has looked at yet. */
const leasesPassedOver = 65_536;

/**
 * A disk holds chunks of a lease that this database has never given: it was put back as it once was, and does not know what
 * was committed since. From then on nothing is deleted, on nodes neither, until somebody has looked; and no number that
 * was given in the time that is forgotten is given again.
 */
export async function noteOlderDatabase(
  { core, store }: Pick<CollectionWorld, "core" | "store">,
  { lease, subject }: { readonly lease: LeaseId; readonly subject: string },
): Promise<void> {
  if (core.noDelete.reason !== undefined) return;
  const reason = `${subject} holds chunks of write lease ${lease}, which this database has never given: the database is older than its nodes`;
  await core.noDelete.set(reason);
  await store.queue.submit((tx) => raiseNumbers(tx.sql, "next_lease", lease + leasesPassedOver));
  await core.events.tell({
    severity: "error",
    kind: "database.older",
    subject,
    message: `${reason}, as after a restore from a backup; nothing is deleted from now on`,
    details: { lease },
  });
}
