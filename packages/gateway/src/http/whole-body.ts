import type { IncomingMessage } from "node:http";
import type { Clock } from "@cairn/env";
import { StorageError } from "@cairn/protocol";
import { watchPace } from "./body-pace.ts";

/** Reads a body whole, once. Throws too-large over `bytesMax`, invalid when it is cut short or slower than allowed. */
export function wholeBody(request: IncomingMessage, bytesMax: number, clock: Clock): Promise<Uint8Array> {
  if (Number(request.headers["content-length"] ?? 0) > bytesMax) return Promise.reject(tooLarge(bytesMax));
  watchPace(request, clock);
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let length = 0;
    const refuse = (error: unknown): void => {
      request.off("data", take);
      reject(error);
    };
    const take = (piece: Buffer): void => {
      length += piece.length;
      if (length > bytesMax) refuse(tooLarge(bytesMax));
      else pieces.push(piece);
    };
    request.on("data", take);
    request.once("end", () => resolve(Buffer.concat(pieces, length)));
    request.once("error", (cause) =>
      refuse(
        cause instanceof StorageError ? cause : new StorageError("invalid", "read body", "it was cut short", { cause }),
      ),
    );
  });
}

function tooLarge(bytesMax: number): StorageError {
  return new StorageError("too-large", "read body", `at most ${bytesMax} bytes are taken here`);
}
