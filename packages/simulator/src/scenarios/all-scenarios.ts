import { absentNodes } from "./absent-nodes.ts";
import { durability } from "./durability.ts";
import { garbage } from "./garbage.ts";
import { history } from "./history.ts";
import { hostileClients } from "./hostile-clients.ts";
import type { Scenario } from "./scenario.ts";

/** Every story there is; docs/simulation.md. */
export const allScenarios: readonly Scenario[] = [
  ...absentNodes,
  ...durability,
  ...garbage,
  ...history,
  ...hostileClients,
];
