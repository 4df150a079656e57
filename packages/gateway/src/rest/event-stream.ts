import { PassThrough, type Readable } from "node:stream";
import type { ClusterEvent, OperationsService, Severity } from "@cairn/protocol";
import { eventResource } from "./operations-resources.ts";

/** A sign of life is sent this often, so that proxies keep the connection; ms. */
const pingMs = 15_000;
const batch = 100;
const retryMs = 3000;

/** Events as server-sent events, each with its sequence number as id, until the signal aborts or the reader goes. */
export function eventStream(
  operations: OperationsService,
  from: { readonly after: number; readonly severity?: Severity | undefined },
  signal: AbortSignal,
): Readable {
  const stream = new PassThrough();
  const stopped = new Promise<undefined>((resolve) => {
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
    stream.once("close", () => resolve(undefined));
  });
  void pump(operations, from, { stream, stopped, signal }).then(
    () => stream.end(),
    (error: Error) => stream.destroy(error),
  );
  return stream;
}

async function pump(
  operations: OperationsService,
  { after, severity }: { readonly after: number; readonly severity?: Severity | undefined },
  to: { readonly stream: PassThrough; readonly stopped: Promise<undefined>; readonly signal: AbortSignal },
): Promise<void> {
  const { stream, stopped, signal } = to;
  const write = async (text: string): Promise<void> => {
    if (stream.write(text)) return;
    await Promise.race([new Promise((resolve) => stream.once("drain", resolve)), stopped]);
  };
  await write(`retry: ${retryMs}\n\n`);
  let last = after;
  while (!signal.aborted && !stream.destroyed) {
    const events = await Promise.race([operations.events(last, { limit: batch, waitMs: pingMs, severity }), stopped]);
    if (!events || stream.destroyed) return;
    for (const event of events) await write(spell(event));
    last = events.at(-1)?.sequence ?? last;
    if (events.length === 0) await write(": nothing new\n\n");
  }
}

/** JSON holds no line ends, so one `data` line is enough. */
function spell(event: ClusterEvent): string {
  return `id: ${event.sequence}\ndata: ${JSON.stringify(eventResource(event))}\n\n`;
}
