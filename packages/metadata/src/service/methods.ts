import type {
  ClusterService,
  DataPathService,
  MembershipService,
  MetadataService,
  NamespaceService,
} from "@cairn/protocol";

type MethodTable<Service> = { readonly [Method in keyof Service]: true };

// A table and not a list: the compiler then refuses both a missing and an unknown method.
const dataPath: MethodTable<DataPathService> = {
  openLease: true,
  renewLease: true,
  closeLease: true,
  lookupChunks: true,
  commit: true,
  createUpload: true,
  putPart: true,
  listParts: true,
  completeUpload: true,
  abortUpload: true,
  planRead: true,
  groups: true,
  reportBadCopies: true,
};
const namespace: MethodTable<NamespaceService> = {
  drives: true,
  stat: true,
  list: true,
  countChildren: true,
  createFolder: true,
  move: true,
  trash: true,
  restore: true,
  remove: true,
  listTrash: true,
  emptyTrash: true,
  listVersions: true,
};
const cluster: MethodTable<ClusterService> = {
  status: true,
  nodes: true,
  placements: true,
  authenticate: true,
  createToken: true,
  listTokens: true,
  revokeToken: true,
  createJoinToken: true,
};
const membership: MethodTable<MembershipService> = { register: true, heartbeat: true };

/** Methods below `/api/v1/data/`. */
export const dataPathMethods: readonly (keyof DataPathService)[] = namesOf(dataPath);
/** Methods below `/cluster/v1/metadata/`. */
export const metadataMethods: readonly (keyof MetadataService)[] = namesOf({ ...dataPath, ...namespace, ...cluster });
/** Methods below `/cluster/v1/membership/`. */
export const membershipMethods: readonly (keyof MembershipService)[] = namesOf(membership);

function namesOf<Table extends object>(table: Table): (keyof Table)[] {
  return Object.keys(table) as (keyof Table)[];
}
