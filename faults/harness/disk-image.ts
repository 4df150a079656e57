import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { RowContext } from "../run/row-context.ts";
import { run } from "./shell.ts";

export type FileSystem = "xfs" | "ext4";

/** XFS makes no smaller ones. */
const bytesDefault = 400 * 1024 * 1024;

/** A disk of its own for a part of the cluster: an image file, mounted through a loop device. */
export class DiskImage {
  /** Where it is mounted. */
  readonly place: string;
  readonly #image: string;
  readonly #options: string;

  private constructor(place: string, image: string, options: string) {
    this.place = place;
    this.#image = image;
    this.#options = options;
  }

  /** Makes and mounts a disk. ext4 without the rescue of renamed files, and with commits as rare as can be. */
  static async make(
    context: RowContext,
    { name, system = "ext4", bytes }: { name: string; system?: FileSystem; bytes?: number },
  ): Promise<DiskImage> {
    const image = join(context.folder, `${name}.img`);
    const place = join(context.folder, `mount-${name}`);
    mkdirSync(place);
    await run("truncate", "-s", String(bytes ?? bytesDefault), image);
    if (system === "xfs") await run("mkfs.xfs", "-q", image);
    else await run("mkfs.ext4", "-q", "-F", "-m", "0", image);
    const options = system === "ext4" ? "loop,noauto_da_alloc,commit=300,errors=remount-ro" : "loop";
    const disk = new DiskImage(place, image, options);
    context.defer(`unmount ${name}`, () => disk.#letGo());
    await disk.mount();
    return disk;
  }

  /** `loop5`, and the numbers `7:5` of the device behind it. */
  async device(): Promise<{ readonly path: string; readonly numbers: string }> {
    const path = (await run("findmnt", "-n", "-o", "SOURCE", this.place)).trim();
    const numbers = (await run("findmnt", "-n", "-o", "MAJ:MIN", this.place)).trim();
    return { path, numbers };
  }

  async mount(): Promise<void> {
    await run("mount", "-o", this.#options, this.#image, this.place);
  }

  async unmount(): Promise<void> {
    await run("umount", this.place);
  }

  /** The power of the disk goes: whatever was not synced is gone, and every call on it fails from now on. */
  async cutPower(): Promise<void> {
    await run("xfs_io", "-x", "-c", "shutdown", this.place);
  }

  /** After a cut and the end of all processes on it: mounted again, with the log replayed. */
  async restorePower(): Promise<void> {
    await this.unmount();
    await this.mount();
  }

  /** What the kernel does with ext4 when it finds an error: no more writes, whoever has files open. */
  async becomeReadOnly(): Promise<void> {
    const { path } = await this.device();
    writeFileSync(`/sys/fs/ext4/${basename(path)}/trigger_fs_error`, "a fault that was asked for");
  }

  async #letGo(): Promise<void> {
    for (let turn = 0; turn < 3; turn++) {
      const failed = await run("umount", this.place).then(
        () => undefined,
        (error: Error) => error.message,
      );
      if (failed === undefined || /not mounted|no mount point/i.test(failed)) return;
    }
    // Somebody still has a file open; the mount goes with the last of them.
    await run("umount", "-l", this.place);
  }
}
