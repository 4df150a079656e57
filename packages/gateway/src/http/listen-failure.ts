import { StorageError } from "@cairn/protocol";

/** Why a server cannot listen. `option`: with which another port is chosen. */
export function listenFailure(
  cause: unknown,
  { host, port }: { readonly host: string; readonly port: number },
  option: string,
): StorageError {
  const place = `${host}:${port}`;
  switch ((cause as { code?: string }).code) {
    case "EADDRINUSE":
      return new StorageError("conflict", "listen", `port ${port} of ${host} is in use`, {
        cause,
        hint: `Another program uses port ${port}. Stop it, or choose another with ${option}.`,
      });
    case "EACCES":
      return new StorageError("forbidden", "listen", `port ${port} needs more rights`, {
        cause,
        hint: `Choose a port above 1023 with ${option}.`,
      });
    default:
      return new StorageError("invalid", "listen", place, {
        cause,
        hint: "Check the address given with --host: it must be one of this machine's.",
      });
  }
}
