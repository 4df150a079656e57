export { checkCluster, type FsckOptions, type FsckReport, type FsckScope } from "./check-cluster.ts";
export { type ClusterFolders, foldersBelow } from "./cluster-folders.ts";
export type { AffectedFile, AffectedFiles } from "./database/affected-files.ts";
export type { Detail, Finding, FindingKind, FindingTotal, Level } from "./findings.ts";
export { FsckError } from "./fsck-error.ts";
export type { FsckProgress } from "./pulse.ts";
export type { Depth } from "./segments/layout.ts";
