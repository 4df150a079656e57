import type { AccessToken, ChunkPlacement, Entry, FileVersion, NodeStatus } from "@cairn/protocol";
import { formatTime } from "./format.ts";

/** An entry as REST shows it: times in RFC 3339, what is absent is null. */
export function entryResource(entry: Entry): Readonly<Record<string, unknown>> {
  return {
    id: entry.id,
    drive: entry.drive,
    parentId: entry.parent ?? null,
    kind: entry.kind,
    name: entry.name,
    path: entry.path,
    size: entry.size,
    createdAt: formatTime(entry.createdAt),
    modifiedAt: formatTime(entry.modifiedAt),
    contentType: entry.contentType ?? null,
    version: entry.version ?? null,
    etag: entry.etag ?? null,
    copies: entry.copies,
    chunks: entry.chunks,
    trashedAt: entry.trashedAt === undefined ? null : formatTime(entry.trashedAt),
  };
}

export function versionResource(version: FileVersion): Readonly<Record<string, unknown>> {
  return { ...version, createdAt: formatTime(version.createdAt) };
}

export function nodeResource(node: NodeStatus): Readonly<Record<string, unknown>> {
  return { ...node, silentForMs: node.silentForMs ?? null };
}

export function chunkResource(chunk: ChunkPlacement): Readonly<Record<string, unknown>> {
  return {
    index: chunk.index,
    offset: chunk.offset,
    length: chunk.length,
    id: chunk.id,
    group: chunk.group,
    generation: chunk.generation,
    copies: chunk.copies,
  };
}

export function tokenResource(token: AccessToken): Readonly<Record<string, unknown>> {
  return {
    ...token,
    createdAt: formatTime(token.createdAt),
    expiresAt: token.expiresAt === undefined ? null : formatTime(token.expiresAt),
  };
}
