import { testScenarios } from "../testing/scenario-tests.ts";
import { durability } from "./durability.ts";

testScenarios(durability);
