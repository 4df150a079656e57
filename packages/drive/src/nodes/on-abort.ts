const callbacksOf = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls back once when the signal aborts; answers how to stop listening. All callbacks share one listener of the
 * signal: hundreds of chunks wait on the signal of one transfer, and a platform takes that many listeners for a leak.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const callbacks = callbacksOf.get(signal) ?? listen(signal);
  callbacks.add(callback);
  return () => void callbacks.delete(callback);
}

function listen(signal: AbortSignal): Set<() => void> {
  const callbacks = new Set<() => void>();
  const ring = (): void => {
    const waiting = [...callbacks];
    callbacks.clear();
    for (const callback of waiting) callback();
  };
  callbacksOf.set(signal, callbacks);
  signal.addEventListener("abort", ring, { once: true });
  return callbacks;
}
