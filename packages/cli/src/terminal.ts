import type { Readable, Writable } from "node:stream";
import picocolors from "picocolors";

/** Where the program reads and writes; everything it takes of its process. */
export interface Terminal {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute. */
  readonly cwd: string;
  /** The user's home folder, absolute. */
  readonly home: string;
}

export type OutputStream = Writable & { readonly isTTY?: boolean; readonly columns?: number };

export type Colors = ReturnType<typeof picocolors.createColors>;

/** Colours for one stream. NO_COLOR wins over CLICOLOR_FORCE, which wins over the kind of the stream. */
export function colorsFor(stream: OutputStream, env: Terminal["env"], wanted: boolean): Colors {
  return picocolors.createColors(wanted && colorsAreFit(stream, env));
}

function colorsAreFit(stream: OutputStream, env: Terminal["env"]): boolean {
  if ((env["NO_COLOR"] ?? "") !== "" || (env["CAIRN_NO_COLOR"] ?? "") !== "") return false;
  if ((env["CLICOLOR_FORCE"] ?? "0") !== "0") return true;
  return stream.isTTY === true && env["TERM"] !== "dumb";
}

/** Writes and waits until the stream takes more, so that a slow reader bounds our memory. */
export async function writeAll(stream: Writable, bytes: string | Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    stream.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}
