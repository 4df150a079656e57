// `start` and `server` as the cairn command calls them, without the rest of the command.
import { serverCommand, startCommand } from "@cairn/server";

const [command, ...args] = process.argv.slice(2);
process.exitCode = await (command === "start" ? startCommand(args) : serverCommand(args));
// A command that has failed may still hold log files open.
process.exit();
