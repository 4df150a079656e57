import { absentNodes } from "./absent-nodes.ts";
import { durability } from "./durability.ts";
import { garbage } from "./garbage.ts";
import { hiddenDamage } from "./hidden-damage.ts";
import { history } from "./history.ts";
import { hostileClients } from "./hostile-clients.ts";
import { maintenance } from "./maintenance.ts";
import { moves } from "./moves.ts";
import type { Scenario } from "./scenario.ts";
import { tornWrites } from "./torn-writes.ts";

/** Every story there is; docs/simulation.md. */
export const allScenarios: readonly Scenario[] = [
  ...absentNodes,
  ...durability,
  ...garbage,
  ...hiddenDamage,
  ...history,
  ...hostileClients,
  ...maintenance,
  ...moves,
  ...tornWrites,
];
