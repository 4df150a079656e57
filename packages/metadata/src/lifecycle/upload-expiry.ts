import { bytesOfId, type DriveId, fromUtf8, type UploadId, uploadExpiryOf } from "@cairn/protocol";
import { listObjectUploads } from "../objects/object-uploads.ts";
import { endUpload } from "../upload/upload-row.ts";
import {
  commonPrefix,
  type LifecycleStep,
  type LifecycleWorld,
  type Place,
  type RulesNow,
  removeByRules,
} from "./lifecycle-world.ts";

const lookedAtOnce = 1000;
const abortedAtOnce = 250;

/** Gives up the uploads of one page that were begun long enough ago, each as AbortMultipartUpload would. */
export async function expireUploads(
  world: LifecycleWorld,
  drive: DriveId,
  { after, rules, now, dayMs }: RulesNow & { readonly after: Place | undefined },
): Promise<LifecycleStep> {
  const aborting = rules.filter(({ enabled, abortUploadsAfterDays }) => enabled && abortUploadsAfterDays !== undefined);
  if (aborting.length === 0) return { removed: 0, next: undefined };
  const { uploads, more } = await listObjectUploads(world.store, drive, {
    prefix: commonPrefix(aborting),
    size: lookedAtOnce,
    ...(after === undefined ? {} : { after: { key: after.key, upload: after.id as UploadId | undefined } }),
  });
  const due = uploads.filter((upload) => isDue(upload, { rules, now, dayMs }));
  let removed = 0;
  for (let start = 0; start < due.length; start += abortedAtOnce) {
    const batch = due.slice(start, start + abortedAtOnce);
    removed += await removeByRules(world, { drive, now, count: batch.length }, async (tx, current) => {
      let went = 0;
      for (const { id } of batch) {
        const row = await tx.get<{ object_key: Uint8Array; created_at: number }>(
          "SELECT object_key, created_at FROM upload WHERE id = ? AND state = 0",
          bytesOfId(id),
        );
        if (!row || !isDue({ key: fromUtf8(row.object_key), createdAt: row.created_at }, current)) continue;
        await endUpload(tx, bytesOfId(id));
        went++;
      }
      return went;
    });
  }
  const last = uploads.at(-1);
  return { removed, next: more && last ? { key: last.key, id: last.id } : undefined };
}

function isDue(upload: { readonly key: string; readonly createdAt: number }, { rules, now, dayMs }: RulesNow): boolean {
  const at = uploadExpiryOf(rules, upload, dayMs);
  return at !== undefined && at <= now;
}
