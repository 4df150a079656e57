import { Command } from "commander";
import type { Act } from "./command-context.ts";
import { addCatCommand } from "./commands/cat.ts";
import { addClusterCommand } from "./commands/cluster.ts";
import { addCompletionCommand } from "./commands/completion.ts";
import { addConfigCommand } from "./commands/config.ts";
import { addDeleteCommand } from "./commands/delete.ts";
import { addDoctorCommand } from "./commands/doctor.ts";
import { addDownloadCommand } from "./commands/download.ts";
import { addDriveCommand } from "./commands/drive.ts";
import { addEventsCommand } from "./commands/events.ts";
import { addFileCommand } from "./commands/file.ts";
import { addFsckCommand } from "./commands/fsck.ts";
import { addGcCommand } from "./commands/gc.ts";
import { addHelpCommand } from "./commands/help.ts";
import { addInfoCommand } from "./commands/info.ts";
import { addJobCommand } from "./commands/job.ts";
import { addListCommand } from "./commands/list.ts";
import { addLocalCommand } from "./commands/local.ts";
import { addMkdirCommand } from "./commands/mkdir.ts";
import { addMoveCommand } from "./commands/move.ts";
import { addNodeCommand } from "./commands/node.ts";
import { addRebalanceCommand } from "./commands/rebalance.ts";
import { addRenameCommand } from "./commands/rename.ts";
import { addRepairCommand } from "./commands/repair.ts";
import { addRestoreCommand } from "./commands/restore.ts";
import { addS3Command } from "./commands/s3.ts";
import { addScrubCommand } from "./commands/scrub.ts";
import { addServerCommand } from "./commands/server.ts";
import { addStartCommand } from "./commands/start.ts";
import { addStatusCommand } from "./commands/status.ts";
import { addTokenCommand } from "./commands/token.ts";
import { addTrashCommand } from "./commands/trash.ts";
import { addUploadCommand } from "./commands/upload.ts";
import { addVerifyCommand } from "./commands/verify.ts";
import { addVersionCommand } from "./commands/version.ts";
import { addExamples } from "./examples.ts";
import { addGlobalOptions } from "./global-options.ts";
import type { Terminal } from "./terminal.ts";
import { programVersion } from "./version.ts";

/** The whole command tree. Nothing is read or connected until a command runs. */
export function buildProgram(act: Act, terminal: Terminal): Command {
  const program = new Command("cairn");
  program
    .description("A drive and object store that runs on your own machines.")
    .version(programVersion, "-V, --version", "print the version of this program")
    .exitOverride()
    .configureHelp({
      showGlobalOptions: true,
      // Other names such as `ls` work, but one name is enough to read.
      subcommandTerm: (command) => `${command.name()} ${command.usage()}`.trim(),
      commandUsage: (command) => `${pathOf(command)} ${command.usage()}`,
    })
    .configureOutput({
      writeOut: (text) => void terminal.stdout.write(text),
      // Errors are written in one place, in the format that was asked for.
      writeErr: () => undefined,
      getOutHelpWidth: () => Math.min(terminal.stdout.columns ?? 100, 120),
      getOutHasColors: () => false,
    })
    .helpCommand(false);
  addGlobalOptions(program);
  addExamples(program, [
    ["cairn start", "bring up a local cluster"],
    ["cairn upload ./report.pdf", "store a file"],
    ["cairn list", "see what is stored"],
    ["cairn download f_01j9zk --output ./report.pdf", "get it back"],
  ]);
  addFileCommands(program, act);
  addClusterCommands(program, act);
  return program;
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function addFileCommands(program: Command, act: Act): void {
  program.commandsGroup("Files:");
  addUploadCommand(program, act);
  addListCommand(program, act);
  addDownloadCommand(program, act);
  addDeleteCommand(program, act);
  addInfoCommand(program, act);
  addCatCommand(program, act);
  addMkdirCommand(program, act);
  addMoveCommand(program, act);
  addRenameCommand(program, act);
  addRestoreCommand(program, act);
  addTrashCommand(program, act);
  addVerifyCommand(program, act);
  addFileCommand(program, act);
}

function addClusterCommands(program: Command, act: Act): void {
  program.commandsGroup("Cluster:");
  addStatusCommand(program, act);
  addClusterCommand(program, act);
  addDoctorCommand(program, act);
  addFsckCommand(program, act);
  addEventsCommand(program, act);
  addNodeCommand(program, act);
  addRepairCommand(program, act);
  addScrubCommand(program, act);
  addRebalanceCommand(program, act);
  addGcCommand(program, act);
  addJobCommand(program, act);
  addDriveCommand(program, act);
  addConfigCommand(program, act);
  addTokenCommand(program, act);
  addS3Command(program, act);
  addStartCommand(program, act);
  addLocalCommand(program, act);
  addServerCommand(program, act);
  program.commandsGroup("More:");
  addVersionCommand(program, act);
  addCompletionCommand(program);
  addHelpCommand(program, act);
}
