import type { Env, SqlDatabase } from "@cairn/env";
import type { ClusterReports } from "../cluster/cluster-reports.ts";
import type { DriveTable } from "../namespace/drive-table.ts";
import type { ClusterCore } from "../service/cluster-core.ts";
import type { Machinery } from "./machinery.ts";

/** What operations work with. */
export interface OperationsWorld {
  readonly env: Env;
  readonly database: SqlDatabase;
  readonly core: ClusterCore;
  readonly reports: ClusterReports;
  readonly drives: DriveTable;
  readonly machinery: Machinery;
}
