import type { StorageError } from "@cairn/protocol";

/** True when nobody answered, as a refused connection or a timeout shows; false for a node that answered "not now". */
export function isSilence(error: StorageError): boolean {
  return "code" in error.details || error.details["unreachable"] === true || error.details["timeout"] === true;
}
