export { createGateway, type Gateway, startGateway } from "./gateway.ts";
export type { GatewayOptions, MethodMount } from "./gateway-options.ts";
export { listenFailure } from "./http/listen-failure.ts";
export type { S3Options } from "./s3/s3-options.ts";
export { openS3, type S3Door, type S3Server, startS3 } from "./s3/s3-server.ts";
