import { describe, expect, test } from "vitest";
import { readAccessControlPolicy } from "./access-control-policy.ts";
import { readCreateBucketConfiguration, writeLocationConstraint } from "./bucket-location.ts";
import { readCompleteUpload } from "./complete-upload.ts";
import { readCorsConfiguration } from "./cors-configuration.ts";
import { readDeleteRequest } from "./delete-request.ts";
import { readLifecycleConfiguration } from "./lifecycle-configuration.ts";
import { readNotificationConfiguration } from "./notification-configuration.ts";
import { readLegalHold, readObjectLockConfiguration, readRetention } from "./object-lock.ts";
import { readOwnershipControls } from "./ownership-controls.ts";
import { readPublicAccessBlock } from "./public-access-block.ts";
import { readTagging, readTaggingHeader } from "./tagging.ts";
import { readVersioningConfiguration } from "./versioning-configuration.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const refuses = (code: string, read: () => unknown) => expect(read).toThrow(expect.objectContaining({ code }));

describe("Delete", () => {
  const read = (content: string) => readDeleteRequest(utf8(`<Delete>${content}</Delete>`));

  test("names keys, versions and conditions", () => {
    const content =
      "<Quiet>true</Quiet><Object><Key> a&amp;b </Key><VersionId>v1</VersionId></Object>" +
      "<Object><ETag>&quot;abc&quot;</ETag><Key>b</Key><Size>7</Size>" +
      "<LastModifiedTime>Fri, 10 Oct 2025 10:00:00 GMT</LastModifiedTime></Object>";
    expect(read(content)).toEqual({
      quiet: true,
      objects: [
        { key: " a&b ", versionId: "v1" },
        { key: "b", etag: "abc", size: 7, lastModifiedMs: Date.UTC(2025, 9, 10, 10) },
      ],
    });
  });

  test("takes 1,000 objects and refuses 1,001, none, an empty key and what it does not know", () => {
    const objects = (count: number) => "<Object><Key>k</Key></Object>".repeat(count);
    expect(read(objects(1000)).objects.length).toBe(1000);
    for (const content of [
      objects(1001),
      "",
      "<Quiet>true</Quiet>",
      "<Object/>",
      "<Object><Key/></Object>",
      "<Object><Key>a</Key><Key>b</Key></Object>",
      "<Object><Key>a</Key><Other>b</Other></Object>",
      "<Object><Key>a<b/></Key></Object>",
      "<Object>text<Key>a</Key></Object>",
      `${objects(1)}<Quiet>maybe</Quiet>`,
      `${objects(1)}<Quiet>true</Quiet><Quiet>true</Quiet>`,
      `${objects(1)}<constructor/>`,
      `${objects(1)}<__proto__/>`,
    ]) {
      refuses("MalformedXML", () => read(content));
    }
    refuses("MalformedXML", () => readDeleteRequest(utf8("<Remove/>")));
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  });
});

describe("CompleteMultipartUpload", () => {
  const read = (content: string) =>
    readCompleteUpload(utf8(`<CompleteMultipartUpload>${content}</CompleteMultipartUpload>`));
  const part = (number: number | string, more = "") =>
    `<Part><PartNumber>${number}</PartNumber><ETag>"e${number}"</ETag>${more}</Part>`;

  test("lists parts with bare ETags and their checksums", () => {
    expect(read(part(1, "<ChecksumCRC32>y/Q5Jg==</ChecksumCRC32>") + part(10_000))).toEqual([
      { partNumber: 1, etag: "e1", checksums: { CRC32: "y/Q5Jg==" } },
      { partNumber: 10_000, etag: "e10000", checksums: {} },
    ]);
  });

  test("takes 10,000 parts with all checksums, indented", () => {
    const sums =
      "\n    <ChecksumCRC32>y/Q5Jg==</ChecksumCRC32>\n    <ChecksumCRC32C>4waSgw==</ChecksumCRC32C>\n" +
      `    <ChecksumCRC64NVME>rosUhgp5mIg=</ChecksumCRC64NVME>\n    <ChecksumSHA1>${"A".repeat(27)}=</ChecksumSHA1>\n` +
      `    <ChecksumSHA256>${"A".repeat(43)}=</ChecksumSHA256>\n`;
    const document = (count: number) =>
      Array.from({ length: count }, (_, index) => `  ${part(index + 1, sums)}\n`).join("");
    expect(read(document(10_000)).length).toBe(10_000);
    refuses("MalformedXML", () => read(document(10_001)));
  });

  test("refuses wrong numbers, order and checksums each by its code", () => {
    refuses("MalformedXML", () => read(""));
    refuses("MalformedXML", () => read(part("x")));
    refuses("MalformedXML", () => read(part("1.5")));
    refuses("MalformedXML", () => read("<Part><PartNumber>1</PartNumber></Part>"));
    refuses("MalformedXML", () => read("<Part><PartNumber>1</PartNumber><ETag/></Part>"));
    refuses("InvalidArgument", () => read(part(0)));
    refuses("InvalidArgument", () => read(part(10_001)));
    refuses("InvalidPartOrder", () => read(part(2) + part(1)));
    refuses("InvalidPartOrder", () => read(part(1) + part(1)));
    refuses("InvalidRequest", () => read(part(1, "<ChecksumCRC32>AAAA</ChecksumCRC32>")));
    refuses("InvalidRequest", () => read(part(1, "<ChecksumCRC32>******==</ChecksumCRC32>")));
  });
});

describe("bucket creation", () => {
  test("has a region, or nothing", () => {
    expect(readCreateBucketConfiguration(utf8(""))).toEqual({ tags: [] });
    const text =
      "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
    expect(readCreateBucketConfiguration(utf8(text))).toEqual({ locationConstraint: "eu-west-1", tags: [] });
    refuses("MalformedXML", () =>
      readCreateBucketConfiguration(utf8("<CreateBucketConfiguration><X/></CreateBucketConfiguration>")),
    );
    const directory = "<CreateBucketConfiguration><Bucket><Type>Directory</Type></Bucket></CreateBucketConfiguration>";
    refuses("NotImplemented", () => readCreateBucketConfiguration(utf8(directory)));
  });

  test("us-east-1 is the empty location", () => {
    expect(writeLocationConstraint("us-east-1")).toMatch(/"><\/LocationConstraint>$/);
    expect(writeLocationConstraint("eu-west-1")).toMatch(/>eu-west-1<\/LocationConstraint>$/);
  });
});

test("what a refusal quotes of the document is short", () => {
  const long = "n".repeat(50_000);
  for (const text of [`<Delete><${long}/></Delete>`, `<${long}>`, `<a></${long}>`, `<a ${long}="">`]) {
    try {
      readDeleteRequest(utf8(text));
      expect.unreachable();
    } catch (error) {
      expect((error as Error).message.length).toBeLessThan(400);
    }
  }
});

test("versioning is switched on or suspended, and nothing else", () => {
  const read = (content: string) =>
    readVersioningConfiguration(utf8(`<VersioningConfiguration>${content}</VersioningConfiguration>`));
  expect(read("<Status>Enabled</Status>")).toBe("Enabled");
  expect(read("<Status>Suspended</Status><MfaDelete>Disabled</MfaDelete>")).toBe("Suspended");
  refuses("MalformedXML", () => read(""));
  refuses("MalformedXML", () => read("<Status>Disabled</Status>"));
  refuses("NotImplemented", () => read("<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>"));
});

describe("tags", () => {
  const tag = (key: string, value = "v") => `<Tag><Key>${key}</Key><Value>${value}</Value></Tag>`;
  const read = (content: string, of: "object" | "bucket" = "object") =>
    readTagging(utf8(`<Tagging><TagSet>${content}</TagSet></Tagging>`), of);
  const many = (count: number) => Array.from({ length: count }, (_, index) => tag(`k${index}`)).join("");

  test("are keys and values in UTF-8", () => {
    expect(read(tag("Größe", "5 +-=._:/@ 漢字"))).toEqual([{ key: "Größe", value: "5 +-=._:/@ 漢字" }]);
    expect(read("")).toEqual([]);
    expect(read(tag("__proto__"))).toEqual([{ key: "__proto__", value: "v" }]);
  });

  test("hold at each limit and are InvalidTag beyond", () => {
    expect(read(many(10)).length).toBe(10);
    expect(read(many(50), "bucket").length).toBe(50);
    expect(read(tag("𐐀".repeat(128), "𐐀".repeat(256))).length).toBe(1);
    refuses("InvalidTag", () => read(many(11)));
    refuses("InvalidTag", () => read(many(51), "bucket"));
    refuses("InvalidTag", () => read(tag("k".repeat(129))));
    refuses("InvalidTag", () => read(tag("k", "v".repeat(257))));
    refuses("InvalidTag", () => read(tag("")));
    refuses("InvalidTag", () => read(tag("aws:x")));
    refuses("InvalidTag", () => read(tag("k") + tag("k")));
    refuses("InvalidTag", () => read(tag("a;b")));
    refuses("MalformedXML", () => read("<Tag><Key>k</Key></Tag>"));
  });

  test("come in a header as a form", () => {
    expect(readTaggingHeader("")).toEqual([]);
    expect(readTaggingHeader("a=1&b=x+y%2Fz&c")).toEqual([
      { key: "a", value: "1" },
      { key: "b", value: "x y/z" },
      { key: "c", value: "" },
    ]);
    refuses("InvalidTag", () => readTaggingHeader("a=%FF"));
    refuses("InvalidTag", () => readTaggingHeader("a=1&a=2"));
    refuses("InvalidTag", () => readTaggingHeader("=1"));
  });
});

test("A54: CORS rules that S3 does not take are refused, such as those with two wildcards", () => {
  const read = (content: string) => readCorsConfiguration(utf8(`<CORSConfiguration>${content}</CORSConfiguration>`));
  const rule = (content: string) => `<CORSRule>${content}</CORSRule>`;
  const origin = "<AllowedOrigin>https://*.example.com</AllowedOrigin>";
  const method = "<AllowedMethod>PUT</AllowedMethod>";
  expect(read(rule(`${origin}${method}<MaxAgeSeconds>3000</MaxAgeSeconds><ExposeHeader>ETag</ExposeHeader>`))).toEqual([
    {
      allowedOrigins: ["https://*.example.com"],
      allowedMethods: ["PUT"],
      allowedHeaders: [],
      exposeHeaders: ["ETag"],
      maxAgeSeconds: 3000,
    },
  ]);
  refuses("MalformedXML", () => read(""));
  refuses("MalformedXML", () => read(rule(origin)));
  refuses("MalformedXML", () => read(rule(origin + method).repeat(101)));
  refuses("InvalidRequest", () => read(rule(`${origin}<AllowedMethod>put</AllowedMethod>`)));
  refuses("InvalidRequest", () => read(rule(`${method}<AllowedOrigin>https://*.*.com</AllowedOrigin>`)));
  refuses("InvalidRequest", () => read(rule(`${origin}${method}<ExposeHeader>x-*</ExposeHeader>`)));
  refuses("InvalidRequest", () => read(rule(`${origin}${method}<AllowedHeader>a*b*</AllowedHeader>`)));
  refuses("InvalidRequest", () => read(rule(`${origin}${method}<ID>${"i".repeat(256)}</ID>`)));
  refuses("MalformedXML", () => read(rule(`${origin}${method}<MaxAgeSeconds>-1</MaxAgeSeconds>`)));
});

describe("lifecycle", () => {
  const read = (content: string) =>
    readLifecycleConfiguration(utf8(`<LifecycleConfiguration>${content}</LifecycleConfiguration>`));
  const rule = (content: string) => `<Rule><Status>Enabled</Status>${content}</Rule>`;
  const expiry = "<Expiration><Days>3</Days></Expiration>";
  const tag = "<Tag><Key>k</Key><Value>v</Value></Tag>";

  test("rules say what for and what to do", () => {
    const all =
      "<ID>one</ID><Filter><And><Prefix>logs/</Prefix><Tag><Key>k</Key><Value>v</Value></Tag>" +
      "<ObjectSizeGreaterThan>500</ObjectSizeGreaterThan></And></Filter>" +
      "<Expiration><Date>2030-01-01T00:00:00.000Z</Date></Expiration><NoncurrentVersionExpiration>" +
      "<NoncurrentDays>7</NoncurrentDays><NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>";
    expect(read(rule(all))).toEqual([
      {
        id: "one",
        enabled: true,
        filter: { prefix: "logs/", tags: [{ key: "k", value: "v" }], sizeGreaterThan: 500 },
        expiration: { dateMs: Date.UTC(2030, 0, 1) },
        noncurrentExpiration: { days: 7, newerVersions: 2 },
      },
    ]);
    const old =
      "<Prefix/><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>";
    expect(read(rule(old))).toEqual([
      { enabled: true, filter: { prefix: "", tags: [] }, legacyPrefix: true, abortUploadsAfterDays: 1 },
    ]);
    expect(read(rule(`<Filter/>${expiry}`))[0]?.filter).toEqual({ tags: [] });
  });

  test.each([
    ["MalformedXML", ""],
    ["MalformedXML", rule(expiry)],
    ["MalformedXML", rule(`<Filter/><Prefix/>${expiry}`)],
    ["MalformedXML", rule(`<Filter><Prefix>a</Prefix>${tag}</Filter>${expiry}`)],
    ["MalformedXML", rule(`<Filter><And><Prefix>a</Prefix></And></Filter>${expiry}`)],
    ["MalformedXML", rule(`<Filter/><Expiration/>`)],
    ["MalformedXML", rule(`<Filter/><Expiration><Days>1</Days><Date>2030-01-01</Date></Expiration>`)],
    ["MalformedXML", `<Rule><Filter/>${expiry}</Rule>`],
    ["MalformedXML", rule(`<Filter/>${expiry}`).repeat(1001)],
    ["InvalidRequest", rule("<Filter/>")],
    [
      "InvalidRequest",
      rule(
        `<Filter><And><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><ObjectSizeLessThan>5</ObjectSizeLessThan></And></Filter>${expiry}`,
      ),
    ],
    [
      "InvalidRequest",
      rule(
        `<Filter>${tag}</Filter><Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>`,
      ),
    ],
    [
      "InvalidArgument",
      rule(
        "<Filter/><NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>101</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
      ),
    ],
    ["InvalidTag", rule(`<Filter><And>${tag}${tag}</And></Filter>${expiry}`)],
    ["InvalidArgument", rule("<Filter/><Expiration><Days>0</Days></Expiration>")],
    ["InvalidArgument", rule("<Filter/><Expiration><Days>-1</Days></Expiration>")],
    ["InvalidArgument", rule("<Filter/><Expiration><Date>2030-01-01T01:00:00Z</Date></Expiration>")],
    ["InvalidArgument", rule(`<ID>${"i".repeat(256)}</ID><Filter/>${expiry}`)],
    ["InvalidArgument", rule(`<ID>i</ID><Filter/>${expiry}`).repeat(2)],
    [
      "InvalidRequest",
      rule(
        `<Filter>${tag}</Filter><AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>`,
      ),
    ],
    ["NotImplemented", rule("<Filter/><Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>")],
  ])("%s: %s", (code, content) => {
    refuses(code, () => read(content));
  });
});

test("locks and holds are read strictly", () => {
  const lock = (content: string) =>
    readObjectLockConfiguration(utf8(`<ObjectLockConfiguration>${content}</ObjectLockConfiguration>`));
  const enabled = "<ObjectLockEnabled>Enabled</ObjectLockEnabled>";
  const byDefault = (content: string) =>
    `${enabled}<Rule><DefaultRetention><Mode>COMPLIANCE</Mode>${content}</DefaultRetention></Rule>`;
  expect(lock(enabled)).toEqual({});
  expect(lock(byDefault("<Days>30</Days>"))).toEqual({
    defaultRetention: { mode: "COMPLIANCE", period: { days: 30 } },
  });
  refuses("MalformedXML", () => lock(""));
  refuses("MalformedXML", () => lock(byDefault("<Days>1</Days><Years>1</Years>")));
  refuses("MalformedXML", () => lock(byDefault("")));
  refuses("InvalidArgument", () => lock(byDefault("<Days>0</Days>")));
  refuses("InvalidArgument", () => lock(byDefault("<Years>101</Years>")));

  const retention = (content: string) => readRetention(utf8(`<Retention>${content}</Retention>`));
  const until = (time: string) => retention(`<Mode>GOVERNANCE</Mode><RetainUntilDate>${time}</RetainUntilDate>`);
  const ms = Date.UTC(2030, 5, 1, 12);
  for (const time of ["2030-06-01T12:00:00Z", "2030-06-01T14:00:00.000+02:00", "2030-06-01T12:00:00"]) {
    expect(until(time)).toEqual({ mode: "GOVERNANCE", retainUntilMs: ms });
  }
  expect(retention("")).toBeUndefined();
  refuses("MalformedXML", () => retention("<Mode>GOVERNANCE</Mode>"));
  for (const time of ["soon", "2030-13-01T00:00:00Z", "1", "2030-06-01T12:00:00 GMT"]) {
    refuses("MalformedXML", () => until(time));
  }
  expect(readLegalHold(utf8("<LegalHold><Status>ON</Status></LegalHold>"))).toBe(true);
  refuses("MalformedXML", () => readLegalHold(utf8("<LegalHold><Status>on</Status></LegalHold>")));
});

test("settings of a bucket are read strictly", () => {
  const block = (content: string) =>
    readPublicAccessBlock(utf8(`<PublicAccessBlockConfiguration>${content}</PublicAccessBlockConfiguration>`));
  expect(block("<BlockPublicAcls>TRUE</BlockPublicAcls>")).toEqual({
    blockPublicAcls: true,
    ignorePublicAcls: false,
    blockPublicPolicy: false,
    restrictPublicBuckets: false,
  });
  refuses("MalformedXML", () => block("<BlockPublicAcls>yes</BlockPublicAcls>"));
  const ownership = (content: string) =>
    readOwnershipControls(utf8(`<OwnershipControls>${content}</OwnershipControls>`));
  expect(ownership("<Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule>")).toBe("ObjectWriter");
  refuses("MalformedXML", () => ownership("<Rule><ObjectOwnership>Nobody</ObjectOwnership></Rule>"));
});

test("notifications name known events and at most one prefix and suffix", () => {
  const read = (content: string) =>
    readNotificationConfiguration(utf8(`<NotificationConfiguration>${content}</NotificationConfiguration>`));
  const queue = (content: string) => `<QueueConfiguration><Queue>arn:q</Queue>${content}</QueueConfiguration>`;
  const event = "<Event>s3:ObjectCreated:*</Event>";
  const filter = (name: string) =>
    `<Filter><S3Key><FilterRule><Name>${name}</Name><Value>x</Value></FilterRule></S3Key></Filter>`;
  expect(read("")).toEqual({ rules: [], eventBridge: false });
  expect(read(queue(event + filter("Prefix")))).toEqual({
    rules: [{ kind: "queue", target: "arn:q", events: ["s3:ObjectCreated:*"], prefix: "x" }],
    eventBridge: false,
  });
  refuses("MalformedXML", () => read(queue("")));
  refuses("InvalidArgument", () => read(queue("<Event>s3:Whatever</Event>")));
  refuses("InvalidArgument", () => read(queue(event + filter("middle"))));
  const rule = (value: string) => `<FilterRule><Name>suffix</Name><Value>${value}</Value></FilterRule>`;
  const rules = (content: string) => `<Filter><S3Key>${content}</S3Key></Filter>`;
  expect(read(queue(event + rules(rule("v".repeat(1024))))).rules[0]?.suffix?.length).toBe(1024);
  refuses("InvalidArgument", () => read(queue(event + rules(rule("v".repeat(1025))))));
  refuses("InvalidArgument", () => read(queue(event + rules(rule("a") + rule("b")))));
  refuses("MalformedXML", () => read(queue(event + rules(rule("a").repeat(3)))));
  refuses("InvalidArgument", () => read(queue(`${event}<Id>${"i".repeat(256)}</Id>`)));
  refuses("MalformedXML", () => read(queue(event).repeat(101)));
});

test("an access control list that is not valid is MalformedACLError, and not well-formed MalformedXML", () => {
  const read = (text: string) => readAccessControlPolicy(utf8(text));
  refuses("MalformedXML", () => read("<AccessControlPolicy>"));
  refuses("MalformedACLError", () => read("<AccessControlPolicy/>"));
  refuses("MalformedACLError", () =>
    read(
      "<AccessControlPolicy><AccessControlList><Grant><Grantee/><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>",
    ),
  );
  refuses("UnresolvableGrantByEmailAddress", () =>
    read(
      "<AccessControlPolicy><AccessControlList><Grant><Grantee><EmailAddress>a@b</EmailAddress></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>",
    ),
  );
});
