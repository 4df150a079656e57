import { createRequire } from "node:module";

/** The version of this program, from its package.json. */
export const programVersion: string = readVersion();

function readVersion(): string {
  const { version } = createRequire(import.meta.url)("../package.json") as { version: string };
  return version;
}
