// Installs the S3 clients that tests/s3/debian-clients.test.ts and tests/s3/snippets drive, where there is apt-get and the right to.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const clients = {
  awscli: "/usr/bin/aws",
  s3cmd: "/usr/bin/s3cmd",
  rclone: "/usr/bin/rclone",
  restic: "/usr/bin/restic",
  s3fs: "/usr/bin/s3fs",
};

/** Tells which flows do not run because their client is missing. */
export function installS3Clients() {
  const missing = () => Object.keys(clients).filter((name) => !existsSync(clients[name]));
  if (missing().length > 0 && process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")) {
    console.log(`Installing ${missing().join(", ")} (apt-get) …`);
    spawnSync("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...missing()], {
      stdio: "ignore",
      timeout: 180_000,
    });
  }
  for (const name of missing()) console.log(`not run: the flow of ${name}, which is not installed`);
}
