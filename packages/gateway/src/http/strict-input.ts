import { StorageError } from "@cairn/protocol";
import type { FastifyInstance, FastifySchemaCompiler } from "fastify";
import { type TSchema, Type } from "typebox";
import { Compile } from "typebox/compile";
import { Value } from "typebox/value";

const malformed: unique symbol = Symbol("malformed");
const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

/** Query parameters by name. What is not percent-encoded UTF-8 is marked, because nobody may throw while a route is looked up. */
export function parseQuery(text: string): Record<string, string | string[]> {
  const query = Object.create(null) as Record<string | symbol, unknown>;
  for (const pair of text.split("&")) {
    if (pair === "") continue;
    const at = pair.indexOf("=");
    try {
      const name = decode(at < 0 ? pair : pair.slice(0, at));
      const value = at < 0 ? "" : decode(pair.slice(at + 1));
      const before = query[name] as string | string[] | undefined;
      query[name] = before === undefined ? value : [before, value].flat();
    } catch {
      query[malformed] = true;
    }
  }
  return query as Record<string, string | string[]>;
}

/** Throws invalid for a query that parseQuery marked. */
export function checkQuery(query: unknown): void {
  if (typeof query === "object" && query !== null && malformed in query)
    throw new StorageError("invalid", "read request", "the query is not percent-encoded UTF-8");
}

function decode(text: string): string {
  return decodeURIComponent(text.replaceAll("+", " "));
}

/** JSON is the only kind of body that the API's own routes understand, and its bytes are UTF-8 without exception. */
export function acceptOnlyJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser("error", "error");
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, body: Buffer, done) => {
    // Clients that always send the header send it without a body too.
    if (body.length === 0) {
      done(null, undefined);
      return;
    }
    let text: string;
    try {
      text = strictUtf8.decode(body);
    } catch {
      done(new StorageError("invalid", "read request", "the body is not UTF-8"));
      return;
    }
    void parse(request, text, done);
  });
}

/** Checks requests against their schemas. Queries are text and converted; a body means what it says. */
export const compileValidator: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const check = Compile(schema);
  const optional = Type.IsOptional(schema);
  return (given: unknown) => {
    if (httpPart === "body" && optional && given === null) return { value: undefined };
    const value = httpPart === "querystring" ? Value.Convert(schema, given) : given;
    return check.Check(value) ? { value } : { error: check.Errors(value) as never };
  };
};
