import { Readable, Writable } from "node:stream";
import type { OutputStream, Terminal } from "../terminal.ts";

export interface MemoryTerminal extends Terminal {
  /** What was written so far. */
  readonly out: () => string;
  readonly err: () => string;
  readonly outBytes: () => Buffer;
}

export interface MemoryTerminalOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly home?: string;
  readonly input?: string | Uint8Array;
  /** Both output streams claim to be terminals of 100 columns. */
  readonly tty?: boolean;
  /** stdin claims to be a terminal. */
  readonly ttyInput?: boolean;
}

/** A terminal that keeps what is written to it. */
export function memoryTerminal(options: MemoryTerminalOptions = {}): MemoryTerminal {
  const { env = {}, cwd = process.cwd(), home = "/nowhere", input = "", tty = false, ttyInput = false } = options;
  const [stdout, outBytes] = memoryStream(tty);
  const [stderr, errBytes] = memoryStream(tty);
  const stdin = Object.assign(Readable.from([Buffer.from(input)], { objectMode: false }), { isTTY: ttyInput });
  return {
    stdin,
    stdout,
    stderr,
    env,
    cwd,
    home,
    outBytes,
    out: () => outBytes().toString(),
    err: () => errBytes().toString(),
  };
}

function memoryStream(isTTY: boolean): [OutputStream, () => Buffer] {
  const parts: Buffer[] = [];
  const stream = new Writable({
    write: (part: Buffer, _encoding, done) => {
      parts.push(Buffer.from(part));
      done();
    },
  });
  return [Object.assign(stream, { isTTY, columns: 100 }), () => Buffer.concat(parts)];
}
