import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import type { Clock } from "@cairn/env";
import { limits } from "@cairn/protocol";
import { RequestRefusal } from "./request-refusal.ts";

const bytesPerWindow: number = (limits.bodyBytesPerSecondMin * limits.bodyStallMs) / 1000;

/**
 * The bytes of a body as they come. Only the time that is spent waiting for the client counts: a cluster that is slow to
 * take the bytes does not make the client slow. Throws invalid when the client sends less than the least rate.
 */
export async function* pacedBody(body: Readable, clock: Clock): AsyncGenerator<Uint8Array> {
  const pace = new Pace(clock, body);
  // Left early, the body stays as it is: the answer has to go out over the same connection.
  const pieces = body.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Uint8Array>;
  try {
    for (;;) {
      pace.waiting();
      const { value, done } = await pieces.next();
      if (done) return;
      pace.came(value.length);
      yield value;
    }
  } catch (error) {
    throw pace.tooSlow ?? error;
  } finally {
    pace.end();
    // As long as the iterator listens nothing else can read: what is left could not be read away behind a refusal.
    await pieces.return?.();
  }
}

/** Cuts off a body that is read as a whole, as fast as it comes, when it comes too slowly. */
export function watchPace(request: IncomingMessage, clock: Clock): void {
  if (request.complete) return;
  const { socket } = request;
  let before = socket.bytesRead;
  let timer = clock.after(limits.bodyStallMs, () => look());
  const look = (): void => {
    if (socket.bytesRead - before < bytesPerWindow) {
      request.destroy(tooSlow());
      return;
    }
    before = socket.bytesRead;
    timer = clock.after(limits.bodyStallMs, look);
  };
  for (const event of ["end", "close"]) request.once(event, () => timer.cancel());
}

/** How fast a body came while somebody waited for it. */
class Pace {
  readonly #clock: Clock;
  readonly #body: Readable;
  #timer: { cancel(): void } | undefined;
  #waitingSince = 0;
  #waitedMs = 0;
  #bytes = 0;
  tooSlow: RequestRefusal | undefined;

  constructor(clock: Clock, body: Readable) {
    this.#clock = clock;
    this.#body = body;
  }

  waiting(): void {
    this.#waitingSince = this.#clock.monotonic();
    this.#timer = this.#clock.after(limits.bodyStallMs - this.#waitedMs, () => {
      this.tooSlow = tooSlow();
      this.#body.destroy(this.tooSlow);
    });
  }

  came(bytes: number): void {
    this.#timer?.cancel();
    this.#waitedMs += this.#clock.monotonic() - this.#waitingSince;
    this.#bytes += bytes;
    if (this.#bytes < bytesPerWindow) return;
    this.#bytes = 0;
    this.#waitedMs = 0;
  }

  end(): void {
    this.#timer?.cancel();
  }
}

function tooSlow(): RequestRefusal {
  return new RequestRefusal(
    "request_timeout",
    `the body came slower than ${limits.bodyBytesPerSecondMin} bytes a second`,
    "Send it again over a better connection.",
  );
}
