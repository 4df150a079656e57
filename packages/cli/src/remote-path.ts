/** True for `f_…`, an entry's id or the beginning of one; everything else is a path. */
export function looksLikeId(address: string): boolean {
  return /^f_[0-9a-z]+$/i.test(address);
}

/** An address as the SDK takes it: ids as they are, paths made absolute. */
export function remoteAddress(address: string): string {
  return looksLikeId(address) ? address : remotePath(address);
}

/** A path in the drive: absolute, without a slash at the end or twice. `.` and `..` are left to the server to refuse. */
export function remotePath(path: string): string {
  return `/${path.split("/").filter(Boolean).join("/")}`;
}

export function joinRemote(folder: string, name: string): string {
  return folder === "/" ? `/${name}` : `${folder}/${name}`;
}

export function remoteParent(path: string): string {
  return remotePath(path.slice(0, path.lastIndexOf("/")));
}

export function remoteName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
