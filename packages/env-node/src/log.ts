import type { Log, LogFields } from "@cairn/env";
import pino from "pino";

export type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

export interface PinoLogOptions {
  /** Which process speaks, such as `metadata` or `node-2`. */
  readonly name: string;
  readonly level: LogLevel;
  /** Where JSON lines go; absent: stderr. */
  readonly destination?: { write(line: string): void };
}

const secrets = ["token", "secret", "credential", "password", "authorization", "tokenKey", "receiptKey"];

/** JSON lines by pino, one an event; fields that hold secrets are left out. */
export class PinoLog implements Log {
  readonly #pino: pino.Logger;

  constructor(logger: pino.Logger) {
    this.#pino = logger;
  }

  static open(options: PinoLogOptions): PinoLog {
    const settings: pino.LoggerOptions = {
      name: options.name,
      level: options.level,
      redact: { paths: secrets.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: "(secret)" },
    };
    return new PinoLog(pino(settings, options.destination ?? pino.destination({ dest: 2, sync: false })));
  }

  debug(fields: LogFields, message: string): void {
    this.#pino.debug(fields, message);
  }

  info(fields: LogFields, message: string): void {
    this.#pino.info(fields, message);
  }

  warn(fields: LogFields, message: string): void {
    this.#pino.warn(fields, message);
  }

  error(fields: LogFields, message: string): void {
    this.#pino.error(fields, message);
  }

  child(fields: LogFields): Log {
    return new PinoLog(this.#pino.child(fields));
  }
}
