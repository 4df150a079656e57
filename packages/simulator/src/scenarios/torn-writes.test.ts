import { testScenarios } from "../testing/scenario-tests.ts";
import { tornWrites } from "./torn-writes.ts";

testScenarios(tornWrites);
