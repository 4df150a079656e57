import { testScenarios } from "../testing/scenario-tests.ts";
import { maintenance } from "./maintenance.ts";

testScenarios(maintenance);
