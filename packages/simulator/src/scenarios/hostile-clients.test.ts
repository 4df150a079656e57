import { testScenarios } from "../testing/scenario-tests.ts";
import { hostileClients } from "./hostile-clients.ts";

testScenarios(hostileClients);
