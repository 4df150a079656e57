import { stat } from "node:fs/promises";
import type { CairnClient } from "@cairn/client";
import type { Entry } from "@cairn/protocol";
import { exitCodes } from "../exit-codes.ts";
import { Failure, localFailure } from "../failure.ts";
import { matchingBytes } from "./chunk-comparison.ts";
import { PartFile } from "./part-file.ts";

export interface FileDownloadOptions {
  /** Replaces a file of other content. */
  readonly force: boolean;
  readonly signal: AbortSignal;
  /** Told how many bytes are done, and how many of them needed no transfer. */
  readonly onProgress: (done: number, known: number) => void;
}

/**
 * Brings one file to `output` and answers whether anything had to be done. A file of the same content that stands there is
 * left alone; one of another content is a conflict unless `force`.
 */
export async function downloadFile(
  client: CairnClient,
  { entry, output }: { readonly entry: Entry; readonly output: string },
  options: FileDownloadOptions,
): Promise<"downloaded" | "unchanged"> {
  const { signal, onProgress } = options;
  const verify = (path: string): Promise<number> => verifiedBytes(client, path, { entry, signal });
  if (await outputStands(output, entry, { force: options.force, verify })) {
    onProgress(entry.size, entry.size);
    return "unchanged";
  }
  await using part = await PartFile.open(output, entry, verify);
  const known = part.position;
  onProgress(known, known);
  if (known < entry.size) {
    const version = entry.version;
    const { bytes } = await client.download(entry.id, { offset: known, version, signal });
    for await (const piece of bytes) {
      await part.append(piece);
      onProgress(part.position, known);
    }
  }
  if (part.position !== entry.size) {
    throw new Failure("E_CORRUPT", `${output}: ${part.position} of ${entry.size} bytes arrived`, {
      exitCode: exitCodes.corrupt,
      hint: "run the same command again",
    });
  }
  // Somebody may have made the file meanwhile; a rename would silently replace it.
  if (await outputStands(output, entry, { force: options.force, verify })) return "unchanged";
  await part.complete(entry.modifiedAt);
  return "downloaded";
}

/** True when the output has the right content already. Throws a Failure when it has another and may not be replaced. */
async function outputStands(
  output: string,
  entry: Entry,
  { force, verify }: { readonly force: boolean; readonly verify: (path: string) => Promise<number> },
): Promise<boolean> {
  const found = await stat(output).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (!found) return false;
  if (found.isDirectory()) throw localFailure(`${output} is a folder`, "choose another --output");
  if (!found.isFile()) throw localFailure(`${output} is no file`, "choose another --output, or - for stdout");
  if (found.size === entry.size && (await verify(output)) === entry.size) return true;
  if (force) return false;
  throw new Failure("E_CONFLICT", `${output} exists and has another content`, {
    exitCode: exitCodes.conflict,
    hint: "replace it with --force, or choose another --output",
  });
}

/** Bytes of a local file that are proven to be those of the entry; none when the file was changed in the drive meanwhile. */
async function verifiedBytes(
  client: CairnClient,
  path: string,
  { entry, signal }: { readonly entry: Entry; readonly signal: AbortSignal },
): Promise<number> {
  if (entry.size === 0) return 0;
  const bytes = await matchingBytes(path, client.map(entry.id, { signal }), signal);
  const now = await client.stat(entry.id, { signal });
  return now.etag === entry.etag ? bytes : 0;
}
