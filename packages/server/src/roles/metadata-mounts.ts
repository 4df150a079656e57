import type { IncomingRequest, Log } from "@cairn/env";
import type { MethodMount } from "@cairn/gateway";
import type { AccessControl } from "@cairn/metadata";
import {
  type MembershipService,
  type MetadataService,
  type OperationsService,
  type Scope,
  StorageError,
} from "@cairn/protocol";
import {
  dataPathMethods,
  type MethodList,
  membershipMethods,
  metadataMethods,
  operationsMethods,
  serveMethods,
} from "@cairn/remote";

const readingMethods: ReadonlySet<string> = new Set(["planRead", "planReads", "groups", "reportBadCopies"]);
const checkedBefore = async (): Promise<void> => undefined;

/** Reading needs the scope `read`, everything else of the data path `write`. */
function dataPathScope(method: string): Scope {
  return readingMethods.has(method) ? "read" : "write";
}

/** The data path for SDKs under a user's token: POST /api/v1/data/<method>. */
export function dataPathMount(metadata: MetadataService, log: Log): MethodMount {
  const base = "/api/v1/data";
  return {
    base,
    scopeOf: dataPathScope,
    handler: serveMethods(metadata, dataPathMethods as MethodList<MetadataService>, {
      base,
      authorise: checkedBefore,
      log,
    }),
  };
}

interface ClusterServices {
  readonly metadata: MetadataService;
  readonly membership: MembershipService;
  readonly operations: OperationsService;
  readonly access: AccessControl;
}

/** What gateways and storage nodes ask of the metadata server, below /cluster/v1. */
export function clusterMounts({ metadata, membership, operations, access }: ClusterServices, log: Log): MethodMount[] {
  const own = (): "own" => "own";
  const metadataBase = "/cluster/v1/metadata";
  const operationsBase = "/cluster/v1/operations";
  const membershipBase = "/cluster/v1/membership";
  const gatewaysBase = "/cluster/v1/gateways";
  // The gateways ask their own callers for a user's token before they pass a call on.
  const authorise = async (request: IncomingRequest): Promise<void> => {
    const match = /^Bearer (\S+)$/.exec(request.headers["authorization"] ?? "");
    if (!match?.[1]) throw new StorageError("unauthenticated", "call metadata", "no credential came with the request");
    await access.authenticateService(match[1]);
  };
  const gateways = { join: (request: { secret: string; name: string }) => access.joinGateway(request) };
  return [
    {
      base: metadataBase,
      scopeOf: own,
      pool: "cluster",
      handler: serveMethods(metadata, metadataMethods, {
        base: metadataBase,
        log,
        authorise,
      }),
    },
    {
      base: operationsBase,
      scopeOf: own,
      pool: "cluster",
      handler: serveMethods(operations, operationsMethods, { base: operationsBase, log, authorise }),
    },
    // Nodes carry their join token or credential inside of the request; gateways too, when they join.
    {
      base: membershipBase,
      scopeOf: own,
      pool: "cluster",
      handler: serveMethods(membership, membershipMethods, { base: membershipBase, authorise: checkedBefore, log }),
    },
    {
      base: gatewaysBase,
      scopeOf: own,
      pool: "cluster",
      handler: serveMethods(gateways, { join: "once" }, { base: gatewaysBase, authorise: checkedBefore, log }),
    },
  ];
}
