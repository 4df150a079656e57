import { open } from "node:fs/promises";
import { codeOf, fromSystemError } from "./system-error.ts";

/**
 * Makes sure that the file is there, readable by its owner only; an existing one is not touched. It is not even opened:
 * closing any descriptor of a file gives up the locks that this process holds on it.
 */
export async function makePrivateFile(path: string): Promise<void> {
  try {
    await (await open(path, "wx", 0o600)).close();
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw fromSystemError(error, "create file", path);
  }
}
