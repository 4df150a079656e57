import type { Log } from "@cairn/env";
import type { NodeSettings } from "@cairn/protocol";
import type { Bell } from "./bell.ts";

const names = [
  "scrubBytesPerSecond",
  "compactionBytesPerSecond",
  "repairBytesPerSecond",
  "scrubEveryMs",
  "trashMs",
] as const satisfies readonly (keyof NodeSettings)[];

/**
 * How fast the node keeps house, as the leader said it last. Nothing is kept over a restart: until it was told anew a node
 * neither scrubs nor frees anything, because an operator may have told it to wait.
 */
export class LiveSettings {
  readonly #bell: Bell;
  readonly #log: Log;
  #current: NodeSettings | undefined;

  constructor({ bell, log }: { readonly bell: Bell; readonly log: Log }) {
    this.#bell = bell;
    this.#log = log;
  }

  /** Undefined until the leader has told. */
  get current(): NodeSettings | undefined {
    return this.#current;
  }

  /** Takes what a heartbeat's answer says, at once; what makes no sense as a whole changes nothing. */
  apply(told: unknown): void {
    if (told === undefined || told === null) return;
    if (!areSettings(told)) {
      this.#log.warn({ told }, "settings that make no sense came with a heartbeat's answer; the old ones stay");
      return;
    }
    const before = this.#current;
    if (before && names.every((name) => before[name] === told[name])) return;
    this.#current = told;
    this.#bell.ring();
  }
}

function areSettings(told: unknown): told is NodeSettings {
  if (typeof told !== "object" || told === null) return false;
  const values = told as Partial<Record<string, unknown>>;
  return names.every((name) => {
    const value = values[name];
    return typeof value === "number" && Number.isFinite(value) && value >= 0;
  });
}
