import type { DriveReader, DriveWriter } from "@cairn/drive";
import type { Env, HttpHandler } from "@cairn/env";
import type { MetadataService, OperationsService, Scope } from "@cairn/protocol";
import type { PoolName } from "./http/admission.ts";
import type { OtherDoor } from "./http/divert.ts";

/** Methods of a service that are called as POST `<base>/<method>`; the handler comes from whoever wires the parts. */
export interface MethodMount {
  readonly base: string;
  /** `own`: the handler checks the caller itself. */
  readonly scopeOf: (method: string) => Scope | "own";
  readonly handler: HttpHandler;
  /** Whose room its requests take. Default: `data`. */
  readonly pool?: "data" | "cluster";
}

export interface GatewayOptions {
  readonly env: Env;
  readonly metadata: MetadataService;
  readonly operations: OperationsService;
  readonly writer: DriveWriter;
  readonly reader: DriveReader;
  readonly mounts: readonly MethodMount[];
  readonly listen: { readonly host: string; readonly port: number };
  readonly version: string;
  /** True when measurements may be read without a credential. */
  readonly openMetrics: boolean;
  /** The S3 door beside this gateway, and the region that its clients sign. */
  readonly s3?: { readonly url: string; readonly region: string } | undefined;
  /** Answers requests that are for S3 by their Host. */
  readonly s3Door?: OtherDoor | undefined;
  /** Why the server is not ready yet, or undefined when it is. */
  readonly notReady?: () => string | undefined;
  /** How long a good token is remembered, ms; at most 1000. Default: 0, ask every time. */
  readonly rememberPrincipalsMs?: number;
  /** Requests of each kind under way at once, where the defaults do not fit. */
  readonly requestsMax?: Partial<Record<PoolName, number>>;
}
