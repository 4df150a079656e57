import {
  type CopyOrder,
  type ExactChunk,
  fromUtf8,
  limits,
  parseChunkId,
  parseDiskId,
  parseGeneration,
  parseGroupId,
  parseNodeId,
  StorageError,
  tokenCharactersMax,
} from "@cairn/protocol";

const urlCharactersMax = 300;

/** The body of POST /chunks/delete. Throws invalid, too-large. */
export function exactChunksOf(body: Uint8Array): ExactChunk[] {
  return listOf(objectOf(body), "chunks", limits.commitEntriesMax).map((chunk) => {
    const { group, id, generation } = chunk;
    if (typeof group !== "number" || typeof id !== "string" || typeof generation !== "number") {
      throw malformed("a chunk is named by group, id and generation");
    }
    return { group: parseGroupId(group), id: parseChunkId(id), generation: parseGeneration(generation) };
  });
}

/** The body of POST /copies. Throws invalid, too-large. */
export function copyOrderOf(body: Uint8Array): CopyOrder {
  const order = objectOf(body);
  const { group, epoch, disk, readToken } = order;
  if (typeof group !== "number" || typeof disk !== "number" || !isCount(epoch) || typeof readToken !== "string") {
    throw malformed("an order names group, epoch, disk and readToken");
  }
  if (readToken.length > tokenCharactersMax) throw malformed("the readToken is no token");
  const sources = listOf(order, "sources", limits.copiesMax).map(sourceOf);
  const chunks = listOf(order, "chunks", limits.copyChunksMax).map(wantedOf);
  const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
  if (bytes > limits.copyBytesMax) {
    throw new StorageError("too-large", "copy chunks", `${bytes} bytes; at most ${limits.copyBytesMax} in one order`);
  }
  return { group: parseGroupId(group), epoch, disk: parseDiskId(disk), readToken, sources, chunks };
}

function sourceOf({ node, disk, url }: Fields): CopyOrder["sources"][number] {
  if (typeof node !== "string" || typeof disk !== "number" || typeof url !== "string") {
    throw malformed("a source is named by node, disk and url");
  }
  // The node will ask there: an address of a chunk API and nothing beside it.
  if (url.length > urlCharactersMax || !/^https?:\/\/[\w.:[\]-]+(\/[\w./-]*)?$/.test(url)) {
    throw malformed("the url of a source is none");
  }
  return { node: parseNodeId(node), disk: parseDiskId(disk), url };
}

function wantedOf({ id, generation, length }: Fields): CopyOrder["chunks"][number] {
  if (typeof id !== "string" || typeof generation !== "number" || !isCount(length) || length < 1) {
    throw malformed("a copy is wanted by id, generation and length");
  }
  if (length > limits.chunkBytesMax) throw malformed("a chunk is longer than any chunk");
  return { id: parseChunkId(id), generation: parseGeneration(generation), length };
}

type Fields = Readonly<Record<string, unknown>>;

function objectOf(body: Uint8Array): Fields {
  let parsed: unknown;
  try {
    parsed = JSON.parse(fromUtf8(body));
  } catch (cause) {
    throw new StorageError("invalid", "read request", "the body is not JSON", { cause });
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) throw malformed("the body is no object");
  return parsed as Fields;
}

function listOf(object: Fields, name: string, most: number): readonly Fields[] {
  const list = object[name];
  if (!Array.isArray(list)) throw malformed(`the body names no ${name}`);
  if (list.length > most)
    throw new StorageError("too-large", "read request", `${list.length} ${name}; at most ${most}`);
  return list.map((item: unknown) => (typeof item === "object" && item !== null ? (item as Fields) : {}));
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function malformed(why: string): StorageError {
  return new StorageError("invalid", "read request", why, { hint: "See docs/api/chunk.md." });
}
