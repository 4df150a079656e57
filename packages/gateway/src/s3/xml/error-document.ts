import { assert } from "@cairn/protocol";
import type { S3Error } from "../s3-error.ts";
import { xmlDeclaration } from "./xml-document.ts";
import { leaf } from "./xml-text.ts";

/** Where an error happened, for the client and for whoever reads the log. */
export interface ErrorPlace {
  /** Path of the request, decoded. */
  readonly resource: string;
  readonly requestId: string;
  readonly hostId: string;
}

/** The body of a refusal. */
export function writeError(error: S3Error, place: ErrorPlace): string {
  return xmlDeclaration + errorElement(error, place);
}

/** The same without the declaration, for an answer whose declaration and status have left already. */
export function errorElement(error: S3Error, { resource, requestId, hostId }: ErrorPlace): string {
  let details = "";
  for (const [name, value] of Object.entries(error.details)) {
    assert(/^[A-Za-z][A-Za-z0-9-]*$/.test(name), "the names of an error's details are element names");
    details += leaf(name, value);
  }
  return `<Error>${leaf("Code", error.code)}${leaf("Message", error.message)}${details}${leaf("Resource", resource)}${leaf("RequestId", requestId)}${leaf("HostId", hostId)}</Error>`;
}
