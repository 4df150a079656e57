export type { CheckedCopy, CheckedState, ChunkCheck, OnProgress, Progress } from "@cairn/drive";
export { AccessKeysClient, type S3Credentials } from "./access-keys.ts";
export { CairnClient, type MoveOptions, type NewToken } from "./cairn-client.ts";
export { fileSource } from "./file-source.ts";
export { type EventOptions, OperationsClient } from "./operations-client.ts";
export type * from "./options.ts";
export { WebhooksClient, type WebhookTarget } from "./webhooks.ts";
