import { expect, test } from "vitest";
import { runScenario, type Scenario } from "../scenarios/scenario.ts";

/** Each story is a test; it takes seconds. */
export function testScenarios(scenarios: readonly Scenario[]): void {
  for (const scenario of scenarios) {
    test(scenario.name, async () => expect((await runScenario(scenario))?.message).toBeUndefined(), 120_000);
  }
}
