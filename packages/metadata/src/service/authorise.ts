import { StorageError } from "@cairn/protocol";
import type { AccessControl } from "../auth/access-control.ts";

/**
 * Lets a gateway's request for `/cluster/v1/metadata/…` pass; `/cluster/v1/membership/…` needs none of it, since its
 * requests carry secrets of their own. Throws unauthenticated.
 */
export async function authoriseService(access: AccessControl, authorization: string | undefined): Promise<void> {
  await access.authenticateService(bearerOf(authorization));
}

/** The secret of an `Authorization: Bearer …` header. Throws unauthenticated. */
export function bearerOf(authorization: string | undefined): string {
  const secret = /^Bearer ([\x21-\x7e]{1,512})$/i.exec(authorization ?? "")?.[1];
  if (secret !== undefined) return secret;
  throw new StorageError("unauthenticated", "check credential", "the request carries no bearer token", {
    hint: "Send the header Authorization: Bearer <token>.",
  });
}
