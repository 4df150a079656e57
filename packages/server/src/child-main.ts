import { failureMessage, type ProcessOptions, type RoleMessage, runRole } from "./role-process.ts";
import type { RoleConfig } from "./roles/role-config.ts";

/** Entry of a process that a supervisor started: the first message says which role to take. */
process.once("message", ({ config, options }: { config: RoleConfig; options: ProcessOptions }) => {
  void runRole(config, options).then(
    (ready) => tell({ type: "ready", ready }),
    (error: unknown) => {
      tell(failureMessage(error));
      process.exitCode = 1;
      process.disconnect();
    },
  );
});

function tell(message: RoleMessage): void {
  process.send?.(message);
}
