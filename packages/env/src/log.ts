/** Structured log lines. Fields come first; the message is one sentence without the fields' values. Never log a secret. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  child(fields: LogFields): Log;
}

/** `err` holds an error. */
export type LogFields = Readonly<Record<string, unknown>>;
