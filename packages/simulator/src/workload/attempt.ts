import { StorageError } from "@cairn/protocol";
import { isAnywhere } from "../oracle/copies.ts";
import type { ClientHost, ClientParts } from "../world/client-host.ts";
import type { World } from "../world/world.ts";

/** What became of one operation of a client. */
export type Attempt<Result> =
  | { readonly kind: "done"; readonly result: Result }
  | { readonly kind: "failed"; readonly error: StorageError }
  /** The client's process ended in its middle. */
  | { readonly kind: "died" };

/** One thing that a client does. */
export interface Operation<Result> {
  readonly name: string;
  readonly work: (parts: ClientParts) => Promise<Result>;
  /** A kind of failure that it may meet besides those that all may meet; the caller judges it. */
  readonly expects?: StorageError["kind"] | undefined;
}

/** Kinds of failures that a client may meet while anything can go wrong. */
const bearable: ReadonlySet<string> = new Set([
  "unavailable",
  "overloaded",
  "cancelled",
  "no-space",
  "stale",
  "conflict",
  "not-found",
  "precondition-failed",
  "chunk-gone",
  "unauthenticated",
]);

/** Runs an operation on a client's machine and tells how it ended. A failure that no fault explains ends the run. */
export async function attempt<Result>(
  world: World,
  client: ClientHost,
  operation: Operation<Result>,
): Promise<Attempt<Result>> {
  const { parts } = client;
  const { life } = client.machine;
  const { name } = operation;
  world.operations++;
  client.machine.note(name);
  const ended = await new Promise<Attempt<Result>>((resolve) => {
    const forget = life.atEnd(() => resolve({ kind: "died" }));
    operation.work(parts).then(
      (result) => {
        forget();
        resolve({ kind: "done", result });
      },
      (error: unknown) => {
        forget();
        resolve({ kind: "failed", error: storageError(world, operation, error) });
      },
    );
  });
  client.machine.note(`${name} ${ended.kind === "failed" ? `failed: ${ended.error.message}` : ended.kind}`);
  return ended;
}

function storageError(world: World, { name, expects }: Operation<unknown>, error: unknown): StorageError {
  const failure =
    error instanceof StorageError
      ? error
      : new StorageError("internal", name, error instanceof Error ? (error.stack ?? error.message) : String(error));
  if (failure.kind === "lost" && !world.calm) suspect(world, failure);
  else if (!bearable.has(failure.kind) && failure.kind !== expects) {
    world.violate("a failure has a reason", `${name}: ${failure.message}`);
  }
  return failure;
}

/**
 * Members that answer and have nothing is all that a reader sees, while a machine that is away may have the chunk. Somebody
 * must have it.
 */
function suspect(world: World, failure: StorageError): void {
  const chunk = String(failure.details["chunk"]);
  isAnywhere(world, chunk).then(
    (found) => {
      if (!found) world.violate("durability", `chunk ${chunk.slice(0, 8)} is on no disk: ${failure.message}`);
    },
    (error: Error) => world.violate("the simulator works", error.stack ?? error.message),
  );
}
