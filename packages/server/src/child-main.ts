import { failureMessage, type ProcessOptions, type RoleMessage, runRole } from "./role-process.ts";
import type { RoleConfig } from "./roles/role-config.ts";

// What the supervisor's terminal does not take must not end a storage process.
process.stderr.on("error", () => undefined);
// A supervisor that dies while its child still starts leaves nobody to tell: runRole takes over once the role serves.
const orphaned = (): never => process.exit(1);
process.once("disconnect", orphaned);

/** Entry of a process that a supervisor started: the first message says which role to take. */
process.once("message", ({ config, options }: { config: RoleConfig; options: ProcessOptions }) => {
  void runRole(config, options).then(
    (ready) => {
      process.off("disconnect", orphaned);
      tell({ type: "ready", ready });
    },
    (error: unknown) => {
      process.off("disconnect", orphaned);
      tell(failureMessage(error));
      process.exitCode = 1;
      if (process.connected) process.disconnect();
    },
  );
});

function tell(message: RoleMessage): void {
  process.send?.(message);
}
