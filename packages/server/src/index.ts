export { type ControlAddress, type LocalControl, type LocalStatus, localControl } from "./local/control.ts";
export { serverCommand } from "./server-command.ts";
export { startCommand } from "./start-command.ts";
