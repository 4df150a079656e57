export { type RunParts, runCairn } from "./cairn.ts";
export { referenceOf } from "./command-reference.ts";
export { exitCodeMeanings, exitCodes } from "./exit-codes.ts";
export { buildProgram } from "./program.ts";
export type { OutputStream, Terminal } from "./terminal.ts";
