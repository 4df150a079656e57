import type { AccessKey, Bucket } from "@cairn/protocol";
import { cannedAclDocument, listsCount } from "./access-control.ts";
import type { BucketDocument, BucketDocuments } from "./bucket-documents.ts";
import type { Buckets } from "./buckets.ts";
import { publicAccessBlockDocument } from "./configuration/public-access.ts";
import { isPublic, verdictOf } from "./policy/bucket-policy.ts";
import type { PolicyContext } from "./policy/policy-condition.ts";
import { parsedPolicy } from "./policy/stored-policy.ts";
import { reaches, requireRight, type S3Right } from "./s3-access.ts";
import { S3Error } from "./s3-error.ts";
import type { S3Request } from "./s3-request.ts";

/** The policy of a bucket as it was put. */
export const policyDocument: BucketDocument<{ readonly text: string }> = { name: "s3.policy" };

/** What somebody wants to do. */
export interface WantedRight {
  readonly right: S3Right;
  /** As policies call it. */
  readonly action: string;
  /** Absent: with the bucket. */
  readonly key?: string | undefined;
}

/** "public": only if the object itself is for everybody. */
export type Grant = "full" | "public";

interface CallerParts {
  /** Undefined: nobody has signed. */
  readonly accessKey: AccessKey | undefined;
  readonly request: S3Request;
  readonly buckets: Buckets;
  readonly documents: BucketDocuments;
}

const policyChanges = ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"];
/** What the list `public-read` of a bucket lets everybody do. */
const publicBucketActions = ["s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"];
const publicObjectActions = ["s3:GetObject", "s3:GetObjectVersion"];

/** What the sender of a request may do: the scopes of the key are the upper limit, a policy forbids, and lets in whoever has no key. */
export class CallerRights {
  /** Undefined: nobody has signed. */
  readonly accessKey: AccessKey | undefined;
  readonly #parts: CallerParts;
  #known: PolicyContext | undefined;

  constructor(parts: CallerParts) {
    this.#parts = parts;
    this.accessKey = parts.accessKey;
  }

  /** Throws AccessDenied. */
  requireSigned(): AccessKey {
    if (!this.accessKey) throw new S3Error("AccessDenied");
    return this.accessKey;
  }

  /** To the account as a whole. Throws AccessDenied. */
  requireAccount(right: S3Right): AccessKey {
    const accessKey = this.requireSigned();
    requireRight(accessKey, right, accessKey.drives?.[0]);
    return accessKey;
  }

  /** To make a bucket of this name. Throws AccessDenied. */
  requireNew(name: string, right: S3Right): void {
    requireRight(this.requireSigned(), right, name);
  }

  /** Throws AccessDenied before it is told whether there is such a bucket, then NoSuchBucket. */
  async bucketOf(name: string, right: S3Right): Promise<Bucket> {
    const { accessKey } = this;
    if (accessKey) {
      requireRight(accessKey, right, name);
      return await this.#parts.buckets.find(name);
    }
    // Who has not signed asks nothing anew and is told nothing of buckets that are not there.
    const bucket = await this.#parts.buckets.remembered(name);
    if (!bucket) throw new S3Error("AccessDenied");
    return bucket;
  }

  /** Throws AccessDenied. */
  async require(bucket: Bucket, wanted: WantedRight): Promise<Grant> {
    const grant = await this.grantOf(bucket, wanted);
    if (!grant) throw new S3Error("AccessDenied");
    return grant;
  }

  /** Undefined when it is not allowed. */
  async grantOf(bucket: Bucket, { right, action, key }: WantedRight): Promise<Grant | undefined> {
    const { accessKey } = this;
    if (accessKey && !(mayDo(accessKey, right) && reaches(accessKey, bucket.name))) return undefined;
    const kept = await this.#parts.documents.read(bucket, policyDocument);
    const policy = kept && parsedPolicy(kept, bucket.name);
    const resource = key === undefined ? bucket.name : `${bucket.name}/${key}`;
    const question = { principal: accessKey?.id, action, resource, context: this.#context() };
    const verdict = policy ? verdictOf(policy, question) : "silent";
    if (accessKey) return verdict === "deny" && !isOwner(accessKey, action) ? undefined : "full";
    if (verdict === "deny") return undefined;
    const block = await this.#parts.documents.read(bucket, publicAccessBlockDocument);
    if (verdict === "allow" && policy && !(block?.restrictPublicBuckets && isPublic(policy))) return "full";
    if (block?.ignorePublicAcls || !(await listsCount(this.#parts.documents, bucket))) return undefined;
    if (publicObjectActions.includes(action)) return "public";
    const isListed = publicBucketActions.includes(action);
    return isListed && (await this.#parts.documents.read(bucket, cannedAclDocument)) === "public-read"
      ? "full"
      : undefined;
  }

  #context(): PolicyContext {
    this.#known ??= contextOf(this.#parts.request);
    return this.#known;
  }
}

function mayDo({ scopes }: AccessKey, right: S3Right): boolean {
  return scopes.includes("write") || (right === "read" && scopes.includes("read"));
}

/** Who may change all buckets cannot be shut out of a policy, or nobody could mend one that shuts out everybody. */
function isOwner({ drives, scopes }: AccessKey, action: string): boolean {
  return drives === undefined && scopes.includes("write") && policyChanges.includes(action);
}

function contextOf({ raw, query, headers }: S3Request): PolicyContext {
  const known: readonly (readonly [string, string | undefined])[] = [
    ["aws:sourceip", raw.socket.remoteAddress],
    ["aws:securetransport", String("encrypted" in raw.socket)],
    ["aws:referer", headers["referer"]],
    ["aws:useragent", headers["user-agent"]],
    ["s3:prefix", query.get("prefix")],
    ["s3:delimiter", query.get("delimiter")],
  ];
  return new Map(known.filter((pair): pair is readonly [string, string] => pair[1] !== undefined));
}
