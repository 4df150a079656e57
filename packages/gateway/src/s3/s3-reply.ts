/** An answer; the server adds what all have in common. */
export interface S3Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | number | undefined>>;
  /** A document of XML, or bytes as they come; their length stands in the headers then. */
  readonly body?: string | AsyncIterable<Uint8Array> | undefined;
}

/** 200 with a document. */
export function xmlReply(body: string, headers: S3Reply["headers"] = {}): S3Reply {
  return { status: 200, headers: { "content-type": "application/xml", ...headers }, body };
}

/** Without a body. */
export function emptyReply(status: 200 | 204, headers: S3Reply["headers"] = {}): S3Reply {
  return { status, headers };
}
