import { join } from "node:path";
import type { CairnClient } from "@cairn/client";
import type { Entry } from "@cairn/protocol";
import { type Failure, localFailure } from "../failure.ts";

/** Something in the drive and where it is to stand on this machine. */
export type RemoteItem =
  | { readonly kind: "folder"; readonly entry: Entry; readonly output: string }
  | { readonly kind: "file"; readonly entry: Entry; readonly output: string }
  | { readonly kind: "failed"; readonly entry: Entry; readonly failure: Failure };

/** Everything below a folder of the drive, folders before what is in them. */
export async function* walkRemote(
  client: CairnClient,
  { entry, output }: { readonly entry: Entry; readonly output: string },
  signal: AbortSignal,
): AsyncGenerator<RemoteItem> {
  yield { kind: "folder", entry, output };
  for await (const child of client.listAll(entry.id, { signal })) {
    if (!isSafeName(child.name)) {
      yield { kind: "failed", entry: child, failure: unsafeName(child) };
      continue;
    }
    const place = { entry: child, output: join(output, child.name) };
    if (child.kind === "folder") yield* walkRemote(client, place, signal);
    else yield { kind: "file", ...place };
  }
}

/** A name that stays inside its folder here, whatever the server says; stricter on Windows, where more characters mean something. */
export function isSafeName(name: string, platform: NodeJS.Platform = process.platform): boolean {
  if (name === "" || name === "." || name === ".." || /[/\0]/.test(name)) return false;
  if (platform !== "win32") return true;
  if (/[<>:"\\|?*]|\p{Cc}|[. ]$/u.test(name)) return false;
  return !/^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(name);
}

function unsafeName(entry: Entry): Failure {
  return localFailure(
    `${entry.path}: a file cannot have this name on this machine`,
    `give it another: cairn rename ${entry.id} NAME`,
  );
}
