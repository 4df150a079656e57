import { testScenarios } from "../testing/scenario-tests.ts";
import { history } from "./history.ts";

testScenarios(history);
