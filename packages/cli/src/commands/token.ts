import type { AccessToken, Scope } from "@cairn/protocol";
import { type Command, InvalidArgumentError } from "commander";
import type { Act, CommandContext } from "../command-context.ts";
import { addExamples } from "../examples.ts";
import { formatAge, formatTime } from "../format.ts";
import { durationValue } from "../option-values.ts";
import { tokenResource } from "../resource.ts";
import { renderTable } from "../table.ts";

interface TokenCreateOptions {
  readonly name: string;
  readonly scope: readonly Scope[];
  readonly expires?: number;
}

export function addTokenCommand(program: Command, act: Act): void {
  const token = program.command("token").description("Make, list and revoke access tokens.");
  addExamples(token, [["cairn token list", "who may do what"]]);
  const create = token
    .command("create")
    .description("Make an access token. Its secret is shown this once.")
    .requiredOption("--name <name>", "what it is for")
    .option("--scope <scopes>", "read, write, admin; several with commas", scopesValue, ["read", "write"])
    .option("--expires <duration>", "how long it is good, such as 30d (default: for ever)", durationValue);
  addExamples(create, [["cairn token create --name ci --scope read --expires 30d", "prints the secret"]]);
  act(create, createToken);
  const list = token.command("list").alias("ls").description("List access tokens, without their secrets.");
  addExamples(list, [["cairn token list", "who may do what"]]);
  act(list, listTokens);
  const revoke = token
    .command("revoke")
    .description("Make an access token worthless at once.")
    .argument("<token_id>", "id as `cairn token list` shows it");
  addExamples(revoke, [["cairn token revoke t_01j9zk", "by its id"]]);
  act(revoke, revokeToken);
}

const scopes: readonly Scope[] = ["read", "write", "admin"];

function scopesValue(text: string): readonly Scope[] {
  const wanted = text.split(",").map((part) => part.trim());
  const known = scopes.filter((scope) => wanted.includes(scope));
  if (known.length === 0 || known.length < new Set(wanted).size) {
    throw new InvalidArgumentError(`Scopes are ${scopes.join(", ")}.`);
  }
  return known;
}

async function createToken(context: CommandContext, options: TokenCreateOptions): Promise<undefined> {
  const { output, signal } = context;
  const client = await context.client();
  const { token, secret } = await client.createToken(
    { name: options.name, scopes: options.scope, expiresInMs: options.expires },
    { signal },
  );
  if (output.format === "json") await output.document({ token: tokenResource(token), secret });
  else await output.line(secret);
  output.note(`Token ${token.token} (${token.scopes.join(", ")}). Keep the secret: it is not shown again.`);
}

async function listTokens(context: CommandContext): Promise<undefined> {
  const { output, signal } = context;
  const client = await context.client();
  const tokens = await client.listTokens({ signal });
  switch (output.format) {
    case "json":
      await output.document({ items: tokens.map(tokenResource) });
      return;
    case "ids":
      for (const { token } of tokens) await output.line(token);
      return;
    case "plain":
      for (const it of tokens) await output.fields([it.token, it.name, it.scopes.join(","), formatTime(it.createdAt)]);
      return;
    case "human":
      await output.line(tokenTable(tokens));
  }
}

function tokenTable(tokens: readonly AccessToken[]): string {
  const now = Date.now();
  const columns = ["ID", "NAME", "SCOPES", "CREATED", "EXPIRES"].map((title) => ({ title }));
  return renderTable(
    columns,
    tokens.map((it) => [
      it.token,
      it.name,
      it.scopes.join(", "),
      formatAge(it.createdAt, now),
      it.expiresAt === undefined ? "never" : formatTime(it.expiresAt),
    ]),
  );
}

async function revokeToken(context: CommandContext, _options: unknown, token: string): Promise<undefined> {
  const { output, signal } = context;
  const client = await context.client();
  await client.revokeToken(token, { signal });
  if (output.format === "json") await output.document({ token, revoked: true });
  else if (output.format === "human") await output.line(`Revoked: ${token}`);
  else await output.line(token);
}
