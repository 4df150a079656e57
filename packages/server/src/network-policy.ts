import { isIP } from "node:net";
import { StorageError } from "@cairn/protocol";

/** True for addresses that only this machine can reach. */
export function isLoopback(host: string): boolean {
  if (host === "localhost" || host === "::1") return true;
  return isIP(host) === 4 && host.startsWith("127.");
}

/** Listening beyond this machine happens on purpose only. Throws invalid. */
export function checkHost(host: string, allowNetwork: boolean): void {
  if (isLoopback(host) || allowNetwork) return;
  throw new StorageError(
    "invalid",
    "listen",
    `${host} can be reached from other machines, and Cairn has no TLS of its own`,
    {
      hint: "On a private network or behind a TLS proxy, add --allow-network.",
    },
  );
}
