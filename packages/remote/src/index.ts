export { statusOfKind } from "@cairn/protocol";
export {
  dataPathMethods,
  type MethodList,
  membershipMethods,
  metadataMethods,
  operationsMethods,
} from "./method-lists.ts";
export { type Authorise, type MethodServerOptions, serveMethods } from "./method-server.ts";
export { chunkServicesAt, type RemoteChunkOptions, RemoteChunkService } from "./remote-chunk-service.ts";
export { type NodeCommandsOptions, nodeCommandsAt, RemoteNodeCommands } from "./remote-node-commands.ts";
export {
  type RemoteOptions,
  remoteDataPath,
  remoteMembership,
  remoteMetadata,
  remoteOperations,
} from "./remote-service.ts";
export { errorOfReply, jsonOfReply } from "./reply-error.ts";
