import { checkPostPolicy, checkPostSize, type PostPolicy, postSizeRange, readPostPolicy } from "../auth/post-policy.ts";
import { CallerRights } from "../caller-rights.ts";
import { PostForm } from "../form/post-form.ts";
import { actionsOfHeaders } from "../policy/policy-actions.ts";
import type { FormAdmission } from "../s3-authentication.ts";
import type { ObjectCall, S3Body, S3Call } from "../s3-call.ts";
import { S3Error } from "../s3-error.ts";
import type { S3Reply } from "../s3-reply.ts";
import { checkedKey } from "../s3-request.ts";
import { readTagging } from "../xml/tagging.ts";
import { xmlDeclaration } from "../xml/xml-document.ts";
import { leaf, nest } from "../xml/xml-text.ts";
import { objectBytesMax, putObject } from "./put-object.ts";

type Fields = ReadonlyMap<string, string>;

/** Fields that a PUT has as headers; those of `x-amz-` besides. */
const headerFields = [
  ...["content-type", "cache-control", "content-disposition", "content-encoding", "content-language", "expires"],
  "content-md5",
];
/** Fields that say who signed. */
const credentialFields = [
  "x-amz-algorithm",
  "x-amz-credential",
  "x-amz-date",
  "x-amz-signature",
  "x-amz-security-token",
];

/** Stands for the name of the file that the user chose. */
const filenameVariable = /\$\{filename\}/g;

/**
 * PostObject: a form that a browser sends, with a policy that somebody has signed (S3 API reference, "Browser-based uploads
 * using POST"). `admit` says who.
 */
export async function postObject(call: S3Call, admit: FormAdmission): Promise<S3Reply> {
  const { request, buckets, documents } = call;
  if (!/^multipart\/form-data\s*;/i.test(request.headers["content-type"] ?? ""))
    throw new S3Error("AccessDenied", "A POST to a bucket is a form of the type multipart/form-data.");
  using form = new PostForm(call);
  const { fields: sent, filename } = await form.file();
  const key = (sent.get("key") ?? "").replaceAll(filenameVariable, () => filename);
  if (key === "") throw wrongField("key", "Bucket POST must contain a field named 'key'.");
  const fields = new Map(sent).set("key", checkedKey(key));
  const accessKey = await admit(fields);
  const policy = accessKey && readPostPolicy(fields.get("policy") ?? "");
  const name = request.bucket ?? "";
  if (policy) checkPostPolicy(policy, { bucket: name, fields }, call.options.env.clock.now());
  const rights = new CallerRights({ accessKey, request, buckets, documents });
  const bucket = await rights.bucketOf(name, "write");
  const headers = headersOf(fields, request.headers["host"]);
  const actions = ["s3:PutObject", ...actionsOfHeaders(headers)];
  for (const action of actions) await rights.require(bucket, { right: "write", action, key });
  const body = bodyOf(form, policy);
  const put: ObjectCall = { ...call, request: { ...request, headers, key }, rights, body, bucket, grant: "full", key };
  return answerOf(put, fields, await putObject(put, "post"));
}

/** As many bytes as the policy allows, and none kept when they are more or fewer. */
function bodyOf(form: PostForm, policy: PostPolicy | undefined): S3Body {
  const max = Math.min(objectBytesMax, policy ? postSizeRange(policy).max : objectBytesMax);
  const stream = async function* (): AsyncGenerator<Uint8Array> {
    let bytes = 0;
    for await (const piece of form.content()) {
      bytes += piece.length;
      if (bytes > max) throw new S3Error("EntityTooLarge", undefined, { MaxSizeAllowed: `${max}` });
      yield piece;
    }
    if (policy) checkPostSize(policy, bytes);
  };
  const whole = (): never => {
    throw new S3Error("InternalError");
  };
  return { size: undefined, stream, whole: async () => whole(), trailers: new Map() };
}

/** What the form says of its object, as the headers of a PUT say it. */
function headersOf(fields: Fields, host: string | undefined): Record<string, string | undefined> {
  const headers: Record<string, string | undefined> = Object.create(null);
  headers["host"] = host;
  for (const [name, value] of fields) {
    const isHeader = headerFields.includes(name) || (name.startsWith("x-amz-") && !credentialFields.includes(name));
    // Headers hold bytes as Latin-1.
    if (isHeader) headers[name] = Buffer.from(value).toString("latin1");
  }
  const [acl, tagging] = [fields.get("acl"), fields.get("tagging")];
  if (acl !== undefined) headers["x-amz-acl"] = acl;
  if (tagging !== undefined) {
    const tags = readTagging(Buffer.from(tagging), "object").map(({ key, value }): [string, string] => [key, value]);
    headers["x-amz-tagging"] = new URLSearchParams(tags).toString();
  }
  return headers;
}

function answerOf({ request, bucket, key }: ObjectCall, fields: Fields, { headers }: S3Reply): S3Reply {
  const etag = String(headers?.["etag"] ?? "");
  const redirect = redirectOf(fields.get("success_action_redirect"));
  if (redirect) {
    for (const [name, value] of Object.entries({ bucket: bucket.name, key, etag }))
      redirect.searchParams.append(name, value);
    return { status: 303, headers: { ...headers, location: redirect.href } };
  }
  const path = key.split("/").map(encodeURIComponent).join("/");
  const location = `http://${request.headers["host"] ?? ""}/${bucket.name}/${path}`;
  const told = { ...headers, location };
  const status = fields.get("success_action_status");
  if (status !== "201") return { status: status === "200" ? 200 : 204, headers: told };
  const elements = { Location: location, Bucket: bucket.name, Key: key, ETag: etag };
  const content = Object.entries(elements).map(([name, value]) => leaf(name, value));
  const document = xmlDeclaration + nest("PostResponse", content.join(""));
  return { status: 201, headers: { ...told, "content-type": "application/xml" }, body: document };
}

/** Undefined for what is no address of the web: S3 answers as if it was not there. */
function redirectOf(text: string | undefined): URL | undefined {
  if (text === undefined || !/^https?:\/\//i.test(text) || !URL.canParse(text)) return undefined;
  return new URL(text);
}

function wrongField(name: string, why: string): S3Error {
  return new S3Error("InvalidArgument", why, { ArgumentName: name, ArgumentValue: "" });
}
