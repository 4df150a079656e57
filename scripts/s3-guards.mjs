const s3 = "packages/gateway/src/s3";

/** What keeps the S3 door shut, for `scripts/guards.mjs`. */
export const s3Guards = [
  {
    name: "S3: signature of a request",
    file: `${s3}/auth/signature.ts`,
    cut: 'if (sameSignature(hmac(key, text).toString("hex"), credentials.signature)) return;',
    by: "if (text) return;",
    tests: `${s3}/auth`,
  },
  {
    name: "S3: headers that are not signed",
    file: `${s3}/s3-authentication.ts`,
    cut: "    checkSignedHeaders(request, credentials);\n",
    by: "",
    tests: `${s3}/auth`,
  },
  {
    name: "S3: what forbids is stronger",
    file: `${s3}/policy/bucket-policy.ts`,
    cut: '  if (speaking.some(({ effect }) => effect === "Deny")) return "deny";\n',
    by: "",
    tests: `${s3}/policy`,
  },
  {
    name: "S3: only the object itself is public",
    file: `${s3}/operations/object-version.ts`,
    cut: 'call.grant === "public" && file.attributes?.acl !== "public-read"',
    by: "call.grant === undefined",
    tests: `${s3}/public-access.test.ts`,
  },
  {
    name: "S3: the public access block",
    file: `${s3}/caller-rights.ts`,
    cut: "block?.restrictPublicBuckets && isPublic(policy)",
    by: "block === null",
    tests: `${s3}/public-access.test.ts`,
  },
  {
    name: "S3: keys that are not there are nobody's business",
    file: `${s3}/s3-handler.ts`,
    cut: '  return mayList ? error : new S3Error("AccessDenied");',
    by: "  return mayList === null ? undefined : error;",
    tests: `${s3}/public-access.test.ts`,
  },
  {
    name: "S3: keys of DeleteObjects one by one",
    file: `${s3}/operations/delete-objects.ts`,
    cut: "if (await mayDelete(call, target))",
    by: "if (target)",
    tests: `${s3}/public-access.test.ts`,
  },
  {
    name: "S3: policy of a form",
    file: `${s3}/operations/post-object.ts`,
    cut: "  if (policy) checkPostPolicy(policy, { bucket: name, fields }, call.options.env.clock.now());\n",
    by: "",
    tests: `${s3}/form`,
  },
  {
    name: "S3: a form is read to its end",
    file: `${s3}/form/post-form.ts`,
    cut: "    await this.#ended;\n",
    by: "",
    tests: `${s3}/form`,
  },
  {
    name: "S3: sizes that a form allows",
    file: `${s3}/operations/post-object.ts`,
    cut: "    if (policy) checkPostSize(policy, bytes);\n",
    by: "",
    tests: `${s3}/form`,
  },
];
