export type * from "./drive-env.ts";
export { NodeBoard } from "./nodes/node-board.ts";
export type * from "./read/chunk-check.ts";
export { DriveReader, type OpenFile, type ReadRequest } from "./read/drive-reader.ts";
export type * from "./services.ts";
export type * from "./transfer.ts";
export { DriveWriter, type DriveWriterOptions } from "./write/drive-writer.ts";
