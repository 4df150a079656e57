/**
 * How the process of a storage node runs. A node's heap is small, but the chunks that pass by outside of it set off
 * collections all the time: marked in steps and by helper threads, they cost half of the node's processor time and get in
 * the way of the machine's other processes. A young generation of 8 MiB keeps what lives for one request out of them.
 */
export const nodeArguments: readonly string[] = [
  "--single-threaded-gc",
  "--no-incremental-marking",
  "--min-semi-space-size=8",
  "--max-semi-space-size=8",
];

/**
 * For the GNU allocator of every process, others ignore it: buffers of chunks are used again, and not given back page by page
 * each time. One arena, because every thread's own would keep its share of them for good: 65 MiB less a node.
 */
export const allocatorEnvironment: Readonly<Record<string, string>> = {
  MALLOC_ARENA_MAX: "1",
  MALLOC_MMAP_THRESHOLD_: "33554432",
  MALLOC_TRIM_THRESHOLD_: "33554432",
  MALLOC_TOP_PAD_: "4194304",
};
