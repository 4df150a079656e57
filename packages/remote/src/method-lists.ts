import type {
  ClusterService,
  DataPathService,
  MembershipService,
  MetadataService,
  NamespaceService,
  ObjectService,
  OperationsService,
} from "@cairn/protocol";

/** What may be called over the wire, method by method, and whether calling it twice is the same as once. */
export type MethodList<Service> = Readonly<Record<keyof Service & string, "repeatable" | "once">>;

export const dataPathMethods: MethodList<DataPathService> = {
  openLease: "repeatable",
  renewLease: "repeatable",
  closeLease: "repeatable",
  lookupChunks: "repeatable",
  commit: "repeatable",
  createUpload: "repeatable",
  putPart: "repeatable",
  listParts: "repeatable",
  completeUpload: "repeatable",
  abortUpload: "repeatable",
  planRead: "repeatable",
  planReads: "repeatable",
  groups: "repeatable",
  reportBadCopies: "repeatable",
};

/** Changes carry a commit id, so that repeating them is safe. */
export const namespaceMethods: MethodList<NamespaceService> = {
  drives: "repeatable",
  stat: "repeatable",
  list: "repeatable",
  countChildren: "repeatable",
  createFolder: "repeatable",
  move: "repeatable",
  trash: "repeatable",
  restore: "repeatable",
  remove: "repeatable",
  listTrash: "repeatable",
  emptyTrash: "repeatable",
  listVersions: "repeatable",
};

export const objectMethods: MethodList<ObjectService> = {
  buckets: "repeatable",
  createBucket: "repeatable",
  removeBucket: "repeatable",
  setVersioning: "repeatable",
  bucketDocument: "repeatable",
  setBucketDocument: "repeatable",
  webhooks: "repeatable",
  putWebhook: "repeatable",
  removeWebhook: "repeatable",
  lifecycleDayMs: "repeatable",
  setObjectTags: "repeatable",
  setObjectAcl: "repeatable",
  changeObjectLock: "repeatable",
  listObjects: "repeatable",
  listObjectVersions: "repeatable",
  findObjectVersion: "repeatable",
  removeObjects: "repeatable",
  listObjectParts: "repeatable",
  listObjectUploads: "repeatable",
  completeObject: "repeatable",
  signingKey: "repeatable",
  createAccessKey: "once",
  listAccessKeys: "repeatable",
  revokeAccessKey: "repeatable",
};

export const clusterMethods: MethodList<ClusterService> = {
  status: "repeatable",
  nodes: "repeatable",
  placements: "repeatable",
  authenticate: "repeatable",
  createToken: "once",
  listTokens: "repeatable",
  revokeToken: "repeatable",
  createJoinToken: "once",
};

export const membershipMethods: MethodList<MembershipService> = {
  register: "repeatable",
  heartbeat: "once",
};

/** An order that began something is not given twice: the second would be refused. */
export const operationsMethods: MethodList<OperationsService> = {
  health: "repeatable",
  events: "repeatable",
  settings: "repeatable",
  changeSettings: "repeatable",
  jobs: "repeatable",
  job: "repeatable",
  cancelJob: "once",
  repairStatus: "repeatable",
  scrubStatus: "repeatable",
  startScrub: "once",
  collectionStatus: "repeatable",
  previewCollection: "repeatable",
  startCollection: "once",
  resumeCollection: "once",
  planChange: "repeatable",
  applyChange: "once",
  nodeImpact: "repeatable",
};

/** Everything that a gateway may ask of a metadata server. */
export const metadataMethods: MethodList<MetadataService> = {
  ...dataPathMethods,
  ...namespaceMethods,
  ...clusterMethods,
  ...objectMethods,
};
