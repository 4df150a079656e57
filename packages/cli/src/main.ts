import { runCairn } from "./cairn.ts";
import { exitCodes } from "./exit-codes.ts";
import { homeFolder } from "./places.ts";

// A reader that has seen enough, such as `head`, closes the pipe: that is no failure of ours.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(exitCodes.ok);
});

const exitCode = await runCairn(
  process.argv.slice(2),
  {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    home: homeFolder(process.env),
  },
  { signals: process, exit: (code) => process.exit(code) },
);

// What was written is out; a connection or log file that is still open must not keep a finished command alive.
await Promise.all(
  [process.stdout, process.stderr].map((stream) => new Promise<void>((done) => stream.write("", () => done()))),
);
process.exit(exitCode);
