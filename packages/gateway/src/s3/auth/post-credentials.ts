import { S3Error } from "../s3-error.ts";
import { algorithm, type Credentials, credentialOf } from "./credentials.ts";
import { hmac, sameSignature } from "./signature.ts";

/** What a form says about who signed its policy. */
export interface PostCredentials extends Pick<Credentials, "accessKeyId" | "scope" | "signature" | "timestamp"> {
  /** As it was sent: these characters are what is signed. */
  readonly policy: string;
}

const names = ["x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature", "policy"] as const;

/** Undefined for a form without any credentials. `fields`: names in lower case. Throws InvalidRequest, InvalidArgument. */
export function readPostCredentials(fields: ReadonlyMap<string, string>): PostCredentials | undefined {
  if (fields.has("awsaccesskeyid") || fields.has("signature")) {
    throw new S3Error(
      "InvalidRequest",
      "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
    );
  }
  const [kind, credential, timestamp, signature, policy] = names.map((name) => fields.get(name));
  if (names.every((name) => !fields.has(name))) return undefined;
  const missing = names.find((name) => !fields.get(name));
  if (missing || !kind || !credential || !timestamp || !signature || !policy) {
    throw malformed(missing ?? "policy", "", `Bucket POST must contain a field named '${missing}'.`);
  }
  if (kind !== algorithm) throw malformed("x-amz-algorithm", kind, `x-amz-algorithm only supports "${algorithm}"`);
  const parsed = credentialOf(credential, (why) => malformed("x-amz-credential", credential, why));
  if (!/^\d{8}T\d{6}Z$/.test(timestamp) || !timestamp.startsWith(parsed.scope.date)) {
    throw malformed("x-amz-date", timestamp, "x-amz-date must be yyyyMMdd'T'HHmmss'Z', of the day of the credential");
  }
  if (!/^[0-9a-f]{64}$/.test(signature)) {
    throw malformed("x-amz-signature", signature, "the signature is not 64 hex digits");
  }
  return { ...parsed, timestamp, signature, policy };
}

/** Throws SignatureDoesNotMatch. `key` is the signing key of the scope. */
export function checkPostSignature({ accessKeyId, policy, signature }: PostCredentials, key: Buffer): void {
  if (sameSignature(hmac(key, policy).toString("hex"), signature)) return;
  throw new S3Error("SignatureDoesNotMatch", undefined, {
    ...{ AWSAccessKeyId: accessKeyId, StringToSign: policy, SignatureProvided: signature },
  });
}

function malformed(name: string, value: string, why: string): S3Error {
  return new S3Error("InvalidArgument", why, { ArgumentName: name, ArgumentValue: value.slice(0, 100) });
}
