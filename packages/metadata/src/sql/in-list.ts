/** Values in one IN list; longer lists are asked for in several statements. */
const valuesMax = 64;

/**
 * Cuts values into runs for `IN (?, …)`. Runs are filled up to a power of two by repeating the last value, so that few
 * different statements are prepared.
 */
export function* inLists(values: readonly Uint8Array[]): Generator<{
  readonly values: readonly Uint8Array[];
  readonly placeholders: string;
}> {
  for (let start = 0; start < values.length; start += valuesMax) {
    const run = values.slice(start, start + valuesMax);
    let width = 1;
    while (width < run.length) width *= 2;
    const last = run[run.length - 1];
    while (last && run.length < width) run.push(last);
    yield { values: run, placeholders: `(${Array.from({ length: width }, () => "?").join(", ")})` };
  }
}
