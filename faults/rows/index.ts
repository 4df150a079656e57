import type { Row } from "../run/row.ts";
import { clientRows } from "./clients.ts";
import { damageRows } from "./damage.ts";
import { databaseRows } from "./database.ts";
import { diskFaultRows } from "./disk-faults.ts";
import { healingRows } from "./healing.ts";
import { identityRows } from "./identity.ts";
import { killRows } from "./kills.ts";
import { membershipRows } from "./membership.ts";
import { networkRows } from "./network.ts";
import { overloadRows } from "./overload.ts";
import { partitionRows } from "./partitions.ts";
import { powerLossRows } from "./power-loss.ts";
import { raceRows } from "./races.ts";
import { sensitivityRows } from "./sensitivity.ts";

/** Every row, in the order of the fault table. */
export const rows: readonly Row[] = [
  ...killRows,
  ...powerLossRows,
  ...diskFaultRows,
  ...damageRows,
  ...raceRows,
  ...networkRows,
  ...partitionRows,
  ...clientRows,
  ...identityRows,
  ...databaseRows,
  ...overloadRows,
  ...membershipRows,
  ...healingRows,
  ...sensitivityRows,
].sort((a, b) => a.id.localeCompare(b.id, "en"));
