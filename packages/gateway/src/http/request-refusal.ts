import { StorageError } from "@cairn/protocol";

/** What HTTP has a status of its own for and the parts inside have no word for. */
const refusals = {
  request_timeout: { status: 408, title: "The request came too slowly" },
  unsupported_media_type: { status: 415, title: "This kind of body is not understood here" },
  headers_too_large: { status: 431, title: "The headers are over the limit" },
} as const;

export type RefusalCode = keyof typeof refusals;

/** A request that HTTP itself speaks against. To everything but the REST errors it is just an invalid request. */
export class RequestRefusal extends StorageError {
  readonly code: RefusalCode;
  readonly status: number;
  readonly title: string;

  constructor(code: RefusalCode, subject: string, hint?: string) {
    super("invalid", "read request", subject, hint === undefined ? {} : { hint });
    this.code = code;
    this.status = refusals[code].status;
    this.title = refusals[code].title;
  }
}
