export { createGateway, type Gateway, startGateway } from "./gateway.ts";
export type { GatewayOptions, MethodMount } from "./gateway-options.ts";
