import { type TInteger, type TObject, type TOptional, type TSchema, type TString, Type } from "typebox";

const text = Type.String();
const count = Type.Integer({ minimum: 0 });
const time = Type.String({ format: "date-time" });

export const entrySchema: TSchema = Type.Object(
  {
    id: text,
    drive: text,
    parentId: Type.Optional(text),
    kind: Type.Union([Type.Literal("file"), Type.Literal("folder")]),
    name: text,
    path: text,
    size: count,
    createdAt: time,
    modifiedAt: time,
    contentType: Type.Optional(text),
    version: Type.Optional(text),
    etag: Type.Optional(text),
    copies: count,
    chunks: count,
    trashedAt: Type.Optional(time),
  },
  { $id: "Entry", description: "A file or a folder" },
);

export const driveSchema: TSchema = Type.Object({ id: text, name: text, root: text, chunkBytes: count, copies: count });

export const versionSchema: TSchema = Type.Object({
  version: text,
  size: count,
  createdAt: time,
  etag: text,
  chunks: count,
  current: Type.Boolean(),
});

export const placementSchema: TSchema = Type.Object({
  index: count,
  offset: count,
  id: text,
  length: count,
  group: count,
  generation: count,
  copies: Type.Array(Type.Object({ disk: count, node: text, state: text })),
});

export const tokenSchema: TSchema = Type.Object({
  token: text,
  name: text,
  scopes: Type.Array(text),
  createdAt: time,
  expiresAt: Type.Optional(time),
});

/** `{items, nextCursor, totalCount?}`: a page with a cursor is never empty. */
export function pageSchema<Item extends TSchema>(item: Item): TSchema {
  return Type.Object({
    items: Type.Array(item),
    nextCursor: Type.Union([text, Type.Null()]),
    totalCount: Type.Optional(count),
  });
}

export const pageQuery: { pageSize: TOptional<TInteger>; cursor: TOptional<TString> } = {
  pageSize: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  cursor: Type.Optional(Type.String({ maxLength: 2048 })),
};

export const driveQuery: { drive: TOptional<TString> } = { drive: Type.Optional(Type.String({ maxLength: 255 })) };
export const idParams: TObject<{ id: TString }> = Type.Object({ id: Type.String({ minLength: 1, maxLength: 64 }) });
