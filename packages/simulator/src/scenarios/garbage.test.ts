import { testScenarios } from "../testing/scenario-tests.ts";
import { garbage } from "./garbage.ts";

testScenarios(garbage);
