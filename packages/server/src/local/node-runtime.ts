/**
 * How the process of a storage node runs. A node's heap is small, but the chunks that pass by outside of it set off
 * collections all the time: marked in steps and by helper threads, they cost half of the node's processor time and get in
 * the way of the machine's other processes. A young generation of 16 MiB keeps what lives for one request out of them.
 */
export const nodeArguments: readonly string[] = [
  "--single-threaded-gc",
  "--no-incremental-marking",
  "--min-semi-space-size=16",
];

/** For the GNU allocator, others ignore it: buffers of chunks are used again, and not given back page by page each time. */
export const nodeEnvironment: Readonly<Record<string, string>> = {
  MALLOC_MMAP_THRESHOLD_: "33554432",
  MALLOC_TRIM_THRESHOLD_: "268435456",
  MALLOC_TOP_PAD_: "16777216",
};
