import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { StorageError } from "@cairn/protocol";

type Interfaces = ReturnType<typeof networkInterfaces>;

/** True for addresses that stand for all of this machine's: one can listen there, and nobody can be reached there. */
export function isWildcard(host: string): boolean {
  return isIP(host) !== 0 && /^[0.:]+$/.test(host);
}

/**
 * The address under which other machines reach a server that listens there. A wildcard stands for the one address that
 * this machine has in a network; throws invalid when it has none or several, because only a person can choose then.
 */
export function reachableHost(host: string, interfaces: Interfaces = networkInterfaces()): string {
  if (!isWildcard(host)) return host;
  const family = isIP(host) === 6 ? "IPv6" : "IPv4";
  const addresses = Object.values(interfaces)
    .flatMap((list) => list ?? [])
    .filter((address) => address.family === family && !address.internal && !address.address.startsWith("fe80:"))
    .map(({ address }) => address);
  const [only, ...others] = addresses;
  if (only !== undefined && others.length === 0) return only;
  const which = only === undefined ? "has no address in a network" : `has several addresses: ${addresses.join(", ")}`;
  throw new StorageError("invalid", "listen", `others cannot reach ${host}, and this machine ${which}`, {
    hint: "Say which address others are to use: --host ADDRESS, or --advertise http://ADDRESS:PORT with a fixed --port.",
  });
}

/** The URL of a server on a host and port. */
export function httpUrl(host: string, port: number): string {
  return `http://${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

/** The URL with the host that this machine reaches itself by. */
export function localUrl(url: string): string {
  const parsed = new URL(url);
  const host = parsed.hostname.replace(/^\[|\]$/g, "");
  if (!isWildcard(host)) return url;
  return url.replace(
    parsed.host,
    `${isIP(host) === 6 ? "[::1]" : "127.0.0.1"}${parsed.port === "" ? "" : `:${parsed.port}`}`,
  );
}
