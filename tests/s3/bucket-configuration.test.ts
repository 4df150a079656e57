import {
  CreateBucketCommand,
  DeleteBucketCorsCommand,
  DeleteBucketEncryptionCommand,
  DeleteBucketOwnershipControlsCommand,
  DeleteBucketPolicyCommand,
  DeletePublicAccessBlockCommand,
  GetBucketCorsCommand,
  GetBucketEncryptionCommand,
  GetBucketOwnershipControlsCommand,
  GetPublicAccessBlockCommand,
  type ObjectOwnership,
  PutBucketCorsCommand,
  PutBucketEncryptionCommand,
  PutBucketOwnershipControlsCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  PutPublicAccessBlockCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { refusal, S3Cluster } from "./s3-cluster.ts";

let s3: S3Cluster;
let sdk: S3Client;
const Bucket = "settings";

beforeAll(async () => {
  s3 = await S3Cluster.start();
  sdk = s3.sdk();
  await sdk.send(new CreateBucketCommand({ Bucket }));
  await sdk.send(new PutObjectCommand({ Bucket, Key: "page", Body: "1" }));
});
afterAll(() => s3[Symbol.asyncDispose]());

function call(method: string, path: string, headers: Record<string, string>): Promise<Response> {
  return fetch(`${s3.credentials.endpoint}${path}`, { method, headers });
}

describe("CORS", () => {
  const origin = "https://app.example";
  const preflight = (path: string, method: string, headers?: string) =>
    call("OPTIONS", path, {
      origin,
      "access-control-request-method": method,
      ...(headers === undefined ? {} : { "access-control-request-headers": headers }),
    });

  test("is off until rules are put, and a preflight says so for a bucket that is not there too", async () => {
    expect(await refusal(sdk.send(new GetBucketCorsCommand({ Bucket })))).toEqual(["NoSuchCORSConfiguration", 404]);
    for (const path of [`/${Bucket}/page`, "/nowhere/page", "/"]) {
      const answer = await preflight(path, "GET");
      expect(answer.status).toBe(403);
      expect(await answer.text()).toContain("<Code>AccessForbidden</Code><Message>CORSResponse: CORS is not enabled");
    }
    expect((await call("GET", `/${Bucket}/page`, { origin })).headers.get("vary")).toBeNull();
  });

  test("rules come back as they went, and wrong ones change nothing", async () => {
    const CORSRules = [
      {
        ...{ ID: "app", AllowedOrigins: ["https://*.example"], AllowedMethods: ["GET", "PUT"] },
        ...{ AllowedHeaders: ["content-type", "x-amz-*"], ExposeHeaders: ["ETag"], MaxAgeSeconds: 300 },
      },
    ];
    await sdk.send(new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules } }));
    for (const wrong of [
      { AllowedMethods: ["PATCH"], AllowedOrigins: ["*"] },
      { AllowedMethods: ["GET"], AllowedOrigins: ["*.*"] },
      { AllowedMethods: ["GET"], AllowedOrigins: ["*"], ExposeHeaders: ["x y"] },
    ]) {
      const put = new PutBucketCorsCommand({ Bucket, CORSConfiguration: { CORSRules: [wrong] } });
      expect(await refusal(sdk.send(put))).toEqual(["InvalidRequest", 400]);
    }
    expect((await sdk.send(new GetBucketCorsCommand({ Bucket }))).CORSRules).toEqual(CORSRules);
  });

  test("a preflight is answered unsigned, with what the rule allows", async () => {
    const answer = await preflight(`/${Bucket}/page`, "PUT", "Content-Type,X-Amz-Date");
    expect(answer.status).toBe(200);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "access-control-allow-origin": origin,
      "access-control-allow-methods": "GET, PUT",
      "access-control-allow-headers": "content-type, x-amz-date",
      "access-control-expose-headers": "ETag",
      "access-control-max-age": "300",
      "access-control-allow-credentials": "true",
      vary: "Origin, Access-Control-Request-Headers, Access-Control-Request-Method",
    });
    for (const [method, headers] of [
      ["DELETE", undefined],
      ["PUT", "authorization"],
    ] as const) {
      const refused = await preflight(`/${Bucket}/page`, method, headers);
      expect(refused.status).toBe(403);
      expect(refused.headers.get("access-control-allow-origin")).toBeNull();
      expect(await refused.text()).toContain("CORSResponse: This CORS request is not allowed");
    }
    expect((await preflight(`/${Bucket}`, "PATCH")).status).toBe(400);
    expect((await call("OPTIONS", `/${Bucket}`, { "access-control-request-method": "GET" })).status).toBe(400);
  });

  test("A44: answers and refusals carry what the page may see", async () => {
    const refused = await call("GET", `/${Bucket}/page`, { origin });
    expect(refused.status).toBe(403);
    expect(refused.headers.get("access-control-allow-origin")).toBe(origin);
    expect(refused.headers.get("vary")).toContain("Origin");
    const foreign = await call("GET", `/${Bucket}/page`, { origin: "https://evil.org" });
    expect(foreign.headers.get("access-control-allow-origin")).toBeNull();
    expect(foreign.headers.get("vary")).toContain("Origin");
    const seen: Record<string, string>[] = [];
    const page = s3.sdk();
    page.middlewareStack.add(
      (next) => async (args) => {
        (args.request as { headers: Record<string, string> }).headers["origin"] = origin;
        const result = await next(args);
        seen.push((result.response as { headers: Record<string, string> }).headers);
        return result;
      },
      { step: "finalizeRequest" },
    );
    await page.send(new PutObjectCommand({ Bucket, Key: "page", Body: "2" }));
    expect(seen[0]).toMatchObject({ "access-control-allow-origin": origin, "access-control-expose-headers": "ETag" });
  });

  test("a page reads what a bucket policy gives to everybody", async () => {
    const Statement = [
      { Effect: "Allow", Principal: "*", Action: "s3:GetObject", Resource: `arn:aws:s3:::${Bucket}/*` },
    ];
    const Policy = JSON.stringify({ Version: "2012-10-17", Statement });
    await sdk.send(new PutBucketPolicyCommand({ Bucket, Policy }));
    const answer = await call("GET", `/${Bucket}/page`, { origin });
    expect([answer.status, await answer.text()]).toEqual([200, "2"]);
    expect(answer.headers.get("access-control-allow-origin")).toBe(origin);
    expect(answer.headers.get("access-control-expose-headers")).toBe("ETag");
    await sdk.send(new DeleteBucketPolicyCommand({ Bucket }));
    expect((await call("GET", `/${Bucket}/page`, { origin })).status).toBe(403);
  });

  test("rules are removed, and a bucket without any is as before", async () => {
    await sdk.send(new DeleteBucketCorsCommand({ Bucket }));
    await sdk.send(new DeleteBucketCorsCommand({ Bucket }));
    expect((await refusal(sdk.send(new GetBucketCorsCommand({ Bucket }))))[0]).toBe("NoSuchCORSConfiguration");
    expect((await preflight(`/${Bucket}/page`, "GET")).status).toBe(403);
  });
});

describe("settings", () => {
  test("encryption is refused, for nothing is encrypted at rest", async () => {
    const none = ["ServerSideEncryptionConfigurationNotFoundError", 404];
    for (const SSEAlgorithm of ["AES256", "aws:kms"] as const) {
      const Rules = [{ ApplyServerSideEncryptionByDefault: { SSEAlgorithm } }];
      const put = new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration: { Rules } });
      expect(await refusal(sdk.send(put))).toEqual(["NotImplemented", 501]);
    }
    expect(await refusal(sdk.send(new GetBucketEncryptionCommand({ Bucket })))).toEqual(none);
    await sdk.send(new DeleteBucketEncryptionCommand({ Bucket }));
  });

  test("the ownership of a bucket is kept", async () => {
    const get = () => sdk.send(new GetBucketOwnershipControlsCommand({ Bucket }));
    const put = (ownership: ObjectOwnership) =>
      sdk.send(
        new PutBucketOwnershipControlsCommand({
          Bucket,
          OwnershipControls: { Rules: [{ ObjectOwnership: ownership }] },
        }),
      );
    expect(await refusal(get())).toEqual(["OwnershipControlsNotFoundError", 404]);
    for (const ObjectOwnership of ["BucketOwnerPreferred", "ObjectWriter", "BucketOwnerEnforced"] as const) {
      await put(ObjectOwnership);
      expect((await get()).OwnershipControls?.Rules).toEqual([{ ObjectOwnership }]);
    }
    await sdk.send(new DeleteBucketOwnershipControlsCommand({ Bucket }));
    expect((await refusal(get()))[0]).toBe("OwnershipControlsNotFoundError");
  });

  test("an ownership that comes with a new bucket is kept, and one that its list contradicts makes no bucket", async () => {
    const owned = { Bucket: "owned", ObjectOwnership: "BucketOwnerEnforced" } as const;
    await sdk.send(new CreateBucketCommand(owned));
    const { OwnershipControls } = await sdk.send(new GetBucketOwnershipControlsCommand({ Bucket: "owned" }));
    expect(OwnershipControls?.Rules).toEqual([{ ObjectOwnership: "BucketOwnerEnforced" }]);
    const contradicted = new CreateBucketCommand({ ...owned, Bucket: "contradicted", ACL: "public-read" });
    expect(await refusal(sdk.send(contradicted))).toEqual(["InvalidBucketAclWithObjectOwnership", 400]);
    const get = new GetBucketOwnershipControlsCommand({ Bucket: "contradicted" });
    expect(await refusal(sdk.send(get))).toEqual(["NoSuchBucket", 404]);
  });

  test("the public access block is kept", async () => {
    const get = () => sdk.send(new GetPublicAccessBlockCommand({ Bucket }));
    expect(await refusal(get())).toEqual(["NoSuchPublicAccessBlockConfiguration", 404]);
    const PublicAccessBlockConfiguration = {
      ...{ BlockPublicAcls: true, IgnorePublicAcls: false },
      ...{ BlockPublicPolicy: true, RestrictPublicBuckets: true },
    };
    await sdk.send(new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration }));
    expect((await get()).PublicAccessBlockConfiguration).toEqual(PublicAccessBlockConfiguration);
    await sdk.send(new DeletePublicAccessBlockCommand({ Bucket }));
    expect((await refusal(get()))[0]).toBe("NoSuchPublicAccessBlockConfiguration");
  });
});
