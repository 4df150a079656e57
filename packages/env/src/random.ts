/** Chance. */
export interface Random {
  /** Unguessable bytes, fit for keys and tokens. */
  bytes(count: number): Uint8Array;
  /** A number in [0, 1), fit for choosing and jitter. */
  fraction(): number;
}
