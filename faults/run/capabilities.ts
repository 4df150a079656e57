import { existsSync } from "node:fs";
import { hasProgram, run, runNow } from "../harness/shell.ts";
import type { Need } from "./row.ts";

/** Debian packages behind the programs that faults are made with. */
const packages: Readonly<Record<string, string>> = {
  strace: "strace",
  faketime: "faketime",
  "mkfs.xfs": "xfsprogs",
  xfs_io: "xfsprogs",
  "mkfs.ext4": "e2fsprogs",
  nft: "nftables",
  ip: "iproute2",
  tc: "iproute2",
  prlimit: "util-linux",
};

export const faketimeLibrary = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
export const memoryCgroup = "/sys/fs/cgroup/memory";
export const blkioCgroup = "/sys/fs/cgroup/blkio";

/** Installs what is missing where that is possible, and tells what became of it. */
export async function installPackages(tell: (line: string) => void): Promise<void> {
  const wanted = [
    ...new Set(Object.entries(packages).flatMap(([program, name]) => (hasProgram(program) ? [] : [name]))),
  ];
  if (wanted.length === 0) return;
  if (process.getuid?.() !== 0 || !hasProgram("apt-get")) {
    tell(`missing, and only root can install them with apt: ${wanted.join(", ")}`);
    return;
  }
  tell(`installing ${wanted.join(", ")} …`);
  await run("apt-get", "update", "-qq").catch((error: Error) => tell(error.message));
  for (const name of wanted) {
    await run("apt-get", "install", "-y", "-qq", name).catch((error: Error) => tell(error.message));
  }
}

/** Why a need is not met on this machine; undefined when it is. */
export function whyMissing(need: Need): string | undefined {
  const isRoot = process.getuid?.() === 0;
  const lacks = (...programs: string[]): string | undefined => {
    const missing = programs.filter((program) => !hasProgram(program));
    return missing.length > 0
      ? `${missing.join(", ")} missing (package ${missing.map((it) => packages[it] ?? it).join(", ")})`
      : undefined;
  };
  const asRoot = (why: string | undefined): string | undefined => (isRoot ? why : "needs root");
  switch (need) {
    case "root":
      return asRoot(undefined);
    case "loop devices":
      return asRoot(lacks("losetup", "mount") ?? (existsSync("/dev/loop-control") ? undefined : "no loop devices"));
    case "xfs":
      return lacks("mkfs.xfs", "xfs_io") ?? whyNoFileSystem("xfs");
    case "ext4":
      return lacks("mkfs.ext4", "xfs_io") ?? whyNoFileSystem("ext4");
    case "strace":
      return asRoot(lacks("strace"));
    case "faketime":
      return existsSync(faketimeLibrary) ? undefined : "libfaketime missing (package faketime)";
    case "network namespaces":
      return asRoot(lacks("ip") ?? (runNow("unshare", "--net", "true") ? undefined : "no network namespaces"));
    case "nftables":
      return asRoot(lacks("nft"));
    case "memory cgroup":
      return asRoot(existsSync(`${memoryCgroup}/memory.limit_in_bytes`) ? undefined : "no memory cgroup (version 1)");
    case "blkio cgroup":
      return asRoot(
        existsSync(`${blkioCgroup}/blkio.throttle.write_bps_device`) ? undefined : "no blkio cgroup (version 1)",
      );
    case "prlimit":
      return lacks("prlimit");
  }
}

/** A module that is not loaded yet is loaded by mount, so only its absence from the kernel's modules counts. */
function whyNoFileSystem(name: string): string | undefined {
  const known = runNow("grep", "-qw", name, "/proc/filesystems") || runNow("modinfo", name);
  return known ? undefined : `the kernel knows no ${name}`;
}
