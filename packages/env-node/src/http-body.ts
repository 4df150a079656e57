import type { IncomingMessage } from "node:http";
import { limits, StorageError } from "@cairn/protocol";

/**
 * Collects a request's body into one buffer; one of known length into what `allocate` gives. Throws too-large over
 * `bytesMax`, invalid when it ends early, was read before, or stalls: less than bodyBytesPerSecondMin over bodyStallMs.
 */
export function readBody(
  request: IncomingMessage,
  bytesMax: number,
  allocate: (length: number) => Uint8Array = (length) => Buffer.allocUnsafeSlow(length),
): Promise<Uint8Array> {
  const declared = Number(request.headers["content-length"] ?? Number.NaN);
  if (declared > bytesMax) return Promise.reject(tooLarge(bytesMax));
  // Its events have passed: waiting for them would take until the watchdog barks.
  if (request.destroyed || request.readableEnded) return Promise.reject(gone());
  return new Promise((resolve, reject) => {
    // A body of known length goes straight into one buffer; its pages are taken up only as the bytes come.
    const whole = declared > 0 ? allocate(declared).subarray(0, declared) : undefined;
    const pieces: Uint8Array[] = [];
    let length = 0;
    let lengthAtLastLook = 0;
    const watchdog = setInterval(() => {
      const wanted = (limits.bodyBytesPerSecondMin * limits.bodyStallMs) / 1000;
      if (length - lengthAtLastLook < wanted) end(() => reject(stalled()));
      lengthAtLastLook = length;
    }, limits.bodyStallMs);
    watchdog.unref();
    const end = (settle: () => void): void => {
      clearInterval(watchdog);
      request.off("data", onData).off("end", onEnd).off("close", onClose).off("error", onClose);
      settle();
    };
    const onData = (piece: Uint8Array): void => {
      const at = length;
      length += piece.length;
      if (length > bytesMax) {
        request.pause();
        end(() => reject(tooLarge(bytesMax)));
      } else if (whole) whole.set(piece, at);
      else pieces.push(piece);
    };
    const onEnd = (): void => {
      end(() => resolve(whole ?? Buffer.concat(pieces, length)));
    };
    const onClose = (): void =>
      end(() => reject(new StorageError("invalid", "read body", `it ended after ${length} bytes`)));
    request.on("data", onData).on("end", onEnd).on("close", onClose).on("error", onClose);
  });
}

function tooLarge(bytesMax: number): StorageError {
  return new StorageError("too-large", "read body", `at most ${bytesMax} bytes are taken here`);
}

function gone(): StorageError {
  return new StorageError("invalid", "read body", "the client went away, or the body was read before");
}

function stalled(): StorageError {
  return new StorageError("invalid", "read body", `it came slower than ${limits.bodyBytesPerSecondMin} bytes a second`);
}
