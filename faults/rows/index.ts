import type { Row } from "../run/row.ts";
import { killRows } from "./kills.ts";

/** Every row, in the order of the fault table. */
export const rows: readonly Row[] = [...killRows].sort((a, b) => a.id.localeCompare(b.id, "en"));
