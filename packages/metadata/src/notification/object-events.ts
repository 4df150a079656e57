import { isForEvent, type ObjectEvent, webhookOfTarget } from "@cairn/protocol";
import { takeNumbers } from "../cluster/number-source.ts";
import type { DriveRecord } from "../namespace/drive-table.ts";
import type { Transaction } from "../sql/transaction.ts";
import { eventRecord } from "./event-record.ts";

/** What happened to an object. What is not known of one that went is absent. */
export interface ObjectChange {
  readonly event: ObjectEvent;
  readonly key: string;
  readonly size?: number | undefined;
  readonly etag?: string | undefined;
  /** As S3 clients name it; only where the bucket keeps versions. */
  readonly version?: string | undefined;
}

/**
 * Notes an event for every webhook that the bucket's rules name, in the transaction of the change: it is told exactly when
 * the change is there. Costs nothing for buckets without rules.
 */
export async function noteObject(tx: Transaction, drive: DriveRecord, change: ObjectChange): Promise<void> {
  const { notification } = drive;
  if (notification === undefined) return;
  for (const rule of notification.rules) {
    const webhook = webhookOfTarget(rule.target);
    if (webhook === undefined || !isForEvent(rule, change)) continue;
    const sequence = await takeNumbers(tx.sql, "next_notification", 1);
    const record = eventRecord(change, {
      ...{ sequence, at: tx.now, region: notification.region, bucket: drive.name },
      ...(rule.id === undefined ? {} : { rule: rule.id }),
    });
    // A webhook that was removed meanwhile gets nothing more.
    await tx.run(
      `INSERT INTO notification (webhook, sequence, at, body)
       SELECT name, CAST(? AS BIGINT), CAST(? AS BIGINT), CAST(? AS TEXT) FROM webhook WHERE name = ?`,
      sequence,
      tx.now,
      record,
      webhook,
    );
  }
}
