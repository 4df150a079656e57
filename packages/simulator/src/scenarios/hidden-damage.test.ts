import { testScenarios } from "../testing/scenario-tests.ts";
import { hiddenDamage } from "./hidden-damage.ts";

testScenarios(hiddenDamage);
