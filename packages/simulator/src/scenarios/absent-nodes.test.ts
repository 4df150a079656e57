import { testScenarios } from "../testing/scenario-tests.ts";
import { absentNodes } from "./absent-nodes.ts";

testScenarios(absentNodes);
