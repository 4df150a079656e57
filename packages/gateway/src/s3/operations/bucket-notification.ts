import { type BucketNotification, isTold, notificationDocument, webhookOfTarget } from "@cairn/protocol";
import type { BucketDocument } from "../bucket-documents.ts";
import type { BucketCall } from "../s3-call.ts";
import { S3Error } from "../s3-error.ts";
import { emptyReply, type S3Reply, xmlReply } from "../s3-reply.ts";
import {
  type NotificationConfiguration,
  readNotificationConfiguration,
  writeNotificationConfiguration,
} from "../xml/notification-configuration.ts";
import { checkedDocument } from "./request-document.ts";

const document: BucketDocument<BucketNotification> = { name: notificationDocument };
const documentBytesMax = 256 * 1024;

/** GetBucketNotificationConfiguration: an empty one when nobody is told of anything. */
export async function getBucketNotification({ bucket, documents }: BucketCall): Promise<S3Reply> {
  const { rules = [] } = (await documents.read(bucket, document)) ?? {};
  return xmlReply(writeNotificationConfiguration({ rules, eventBridge: false }));
}

/** PutBucketNotificationConfiguration: webhooks that an operator has added; an empty one switches notifications off. */
export async function putBucketNotification(call: BucketCall): Promise<S3Reply> {
  const wanted = readNotificationConfiguration(await checkedDocument(call, documentBytesMax));
  await checkTargets(call, wanted);
  const rules = wanted.rules.map((rule) => ({
    id: Buffer.from(call.options.env.random.bytes(18)).toString("base64url"),
    ...rule,
  }));
  const kept = rules.length === 0 ? undefined : { region: call.options.region, rules };
  await call.documents.keep(call.bucket, document, kept);
  return emptyReply(200);
}

/** Throws NotImplemented for events that are never told, InvalidArgument for targets that are no webhook of this cluster. */
async function checkTargets(call: BucketCall, { rules, eventBridge }: NotificationConfiguration): Promise<void> {
  if (eventBridge) throw new S3Error("NotImplemented", "There is no event bridge.");
  const silent = rules.flatMap(({ events }) => events).find((event) => !isTold(event));
  if (silent !== undefined) throw new S3Error("NotImplemented", `Nobody is told of ${silent}.`);
  if (rules.length === 0) return;
  const known = new Set((await call.options.metadata.webhooks()).map(({ name }) => name));
  const foreign = rules.find(({ target }) => !known.has(webhookOfTarget(target) ?? ""));
  if (!foreign) return;
  throw new S3Error("InvalidArgument", "Unable to validate the following destination configurations", {
    ArgumentName: foreign.target.slice(0, 200),
    ArgumentValue: "An operator adds webhooks with `cairn s3 webhook add`; they are named arn:cairn:webhook:::NAME.",
  });
}
