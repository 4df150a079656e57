import { testScenarios } from "../testing/scenario-tests.ts";
import { moves } from "./moves.ts";

testScenarios(moves);
