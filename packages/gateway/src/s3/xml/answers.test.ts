import { expect, test } from "vitest";
import { S3Error } from "../s3-error.ts";
import { writeBucketList } from "./bucket-list.ts";
import { writeCompletedUpload } from "./complete-upload.ts";
import { writeCopyObjectResult, writeCopyPartResult } from "./copy-result.ts";
import { writeDeleteResult } from "./delete-result.ts";
import { writeError } from "./error-document.ts";
import { writeObjectAttributes } from "./object-attributes.ts";
import { writeObjectListV1, writeObjectListV2 } from "./object-list.ts";
import { writePartList } from "./part-list.ts";
import { writeBegunUpload } from "./upload-begun.ts";
import { writeUploadList } from "./upload-list.ts";
import { writeVersionList } from "./version-list.ts";
import { parseXml, s3Namespace, type XmlElement } from "./xml-parser.ts";

const head = '<?xml version="1.0" encoding="UTF-8"?>\n';
const time = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
const owner = { id: "o", displayName: "Owner" };
const scope = { bucket: "b", prefix: "p q/", delimiter: "/", max: 1000, urlEncoded: false };
const object = { key: "p q/a&b", lastModifiedMs: time, etag: "e", size: 5 };

/** The children of a document as names and texts, so that a test reads like the document. */
function shown(document: string): unknown[] {
  return content(parseXml(new TextEncoder().encode(document)));
}

function content(element: XmlElement): unknown[] {
  return element.children.map((child) => [child.name, child.children.length > 0 ? content(child) : child.text]);
}

test("an error tells code, message, details, resource and ids", () => {
  const error = new S3Error("NoSuchKey", undefined, { Key: "a<b" });
  expect(writeError(error, { resource: "/b/a<b", requestId: "r", hostId: "h" })).toBe(
    `${head}<Error><Code>NoSuchKey</Code><Message>The key does not exist.</Message><Key>a&lt;b</Key>` +
      "<Resource>/b/a&lt;b</Resource><RequestId>r</RequestId><HostId>h</HostId></Error>",
  );
});

test("buckets are listed with their owner", () => {
  expect(writeBucketList({ owner, buckets: [{ name: "b", createdMs: time }] })).toBe(
    `${head}<ListAllMyBucketsResult xmlns="${s3Namespace}"><Owner><ID>o</ID><DisplayName>Owner</DisplayName></Owner>` +
      "<Buckets><Bucket><Name>b</Name><CreationDate>2026-01-02T03:04:05.006Z</CreationDate></Bucket></Buckets>" +
      "</ListAllMyBucketsResult>",
  );
});

test("a page of version 2 counts keys and prefixes and encodes what the request asked for", () => {
  const page = { scope, objects: [object], commonPrefixes: ["p q/d/"], truncated: true, nextContinuationToken: "t+1" };
  expect(shown(writeObjectListV2(page))).toEqual([
    ["Name", "b"],
    ["Prefix", "p q/"],
    ["NextContinuationToken", "t+1"],
    ["KeyCount", "2"],
    ["MaxKeys", "1000"],
    ["Delimiter", "/"],
    ["IsTruncated", "true"],
    [
      "Contents",
      [
        ["Key", "p q/a&b"],
        ["LastModified", "2026-01-02T03:04:05.006Z"],
        ["ETag", '"e"'],
        ["Size", "5"],
        ["StorageClass", "STANDARD"],
      ],
    ],
    ["CommonPrefixes", [["Prefix", "p q/d/"]]],
  ]);
  const encoded = writeObjectListV2({ ...page, startAfter: "p q/\u0001", scope: { ...scope, urlEncoded: true } });
  for (const part of [
    "<Prefix>p+q/</Prefix>",
    "<StartAfter>p+q/%01</StartAfter>",
    "<EncodingType>url</EncodingType>",
    "<Key>p+q/a%26b</Key>",
    "<Prefix>p+q/d/</Prefix>",
    "<NextContinuationToken>t+1</NextContinuationToken>",
  ]) {
    expect(encoded).toContain(part);
  }
});

test("a key with a control character is written as a reference unless it is encoded", () => {
  const page = { scope, objects: [{ ...object, key: "a\u0001" }], commonPrefixes: [], truncated: false };
  expect(writeObjectListV2(page)).toContain("<Key>a&#x1;</Key>");
  expect(writeObjectListV2({ ...page, scope: { ...scope, urlEncoded: true } })).toContain("<Key>a%01</Key>");
});

test("a page of version 1 has markers, owners and checksums", () => {
  const listed = { ...object, owner, checksumAlgorithm: "CRC32", checksumType: "FULL_OBJECT" } as const;
  const document = writeObjectListV1({
    scope,
    marker: "m",
    nextMarker: "n",
    objects: [listed],
    commonPrefixes: [],
    truncated: true,
  });
  expect(document).toContain("<Marker>m</Marker><NextMarker>n</NextMarker>");
  expect(document).toContain("<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>");
  expect(document).toContain("<Owner><ID>o</ID>");
});

test("versions and delete markers are listed in their order", () => {
  const document = writeVersionList({
    scope,
    versions: [
      { deleteMarker: true, key: "k", versionId: "2", latest: true, lastModifiedMs: time, owner },
      { ...object, deleteMarker: false, versionId: "1", latest: false },
    ],
    commonPrefixes: ["x/"],
    truncated: false,
    keyMarker: "",
    versionIdMarker: "",
  });
  expect(document).toMatch(/<DeleteMarker>.*<IsLatest>true<.*<\/DeleteMarker><Version>.*<VersionId>1<.*<Size>5</);
});

test("uploads, parts and what is made of them", () => {
  expect(shown(writeBegunUpload({ bucket: "b", key: "k\n", uploadId: "u" }))).toEqual([
    ["Bucket", "b"],
    ["Key", "k\n"],
    ["UploadId", "u"],
  ]);
  const parts = [{ partNumber: 1, lastModifiedMs: time, etag: "e", size: 5, checksums: { CRC32: "y/Q5Jg==" } }];
  const partList = writePartList({
    bucket: "b",
    key: "k",
    uploadId: "u",
    initiator: owner,
    owner,
    parts,
    partNumberMarker: 0,
    nextPartNumberMarker: 1,
    max: 1000,
    truncated: false,
  });
  expect(partList).toContain("<Size>5</Size><ChecksumCRC32>y/Q5Jg==</ChecksumCRC32></Part>");
  const uploads = [{ key: "k", uploadId: "u", initiator: owner, owner, initiatedMs: time }];
  const uploadList = writeUploadList({
    scope,
    uploads,
    commonPrefixes: [],
    truncated: false,
    keyMarker: "",
    uploadIdMarker: "",
  });
  expect(uploadList).toContain("<Upload><Key>k</Key><UploadId>u</UploadId><Initiator>");
  const completed = { location: "http://h/b/k", bucket: "b", key: "k", etag: "e-1" };
  expect(shown(writeCompletedUpload({ ...completed, checksums: { CRC32: "x-1" }, checksumType: "COMPOSITE" }))).toEqual(
    [
      ["Location", "http://h/b/k"],
      ["Bucket", "b"],
      ["Key", "k"],
      ["ETag", '"e-1"'],
      ["ChecksumCRC32", "x-1"],
      ["ChecksumType", "COMPOSITE"],
    ],
  );
  expect(writeCopyPartResult({ etag: "e", lastModifiedMs: time })).toMatch(/^<CopyPartResult xmlns=/);
  expect(shown(writeCopyObjectResult({ etag: "e", lastModifiedMs: time }))).toEqual([
    ["LastModified", "2026-01-02T03:04:05.006Z"],
    ["ETag", '"e"'],
  ]);
});

test("deleting tells what went and what did not", () => {
  const document = writeDeleteResult(
    [{ key: "a", deleteMarker: true, deleteMarkerVersionId: "3" }],
    [{ key: "b", versionId: "1", code: "AccessDenied", message: "Access Denied." }],
  );
  expect(shown(document)).toEqual([
    [
      "Deleted",
      [
        ["Key", "a"],
        ["DeleteMarker", "true"],
        ["DeleteMarkerVersionId", "3"],
      ],
    ],
    [
      "Error",
      [
        ["Key", "b"],
        ["VersionId", "1"],
        ["Code", "AccessDenied"],
        ["Message", "Access Denied."],
      ],
    ],
  ]);
});

test("the attributes of an object are those asked for", () => {
  const page = {
    partNumberMarker: 0,
    nextPartNumberMarker: 1,
    max: 1,
    truncated: true,
    parts: [{ partNumber: 1, size: 5 }],
  };
  expect(shown(writeObjectAttributes({ etag: "e-2", parts: { count: 2, page }, size: 10 }))).toEqual([
    ["ETag", "e-2"],
    [
      "ObjectParts",
      [
        ["PartsCount", "2"],
        ["PartNumberMarker", "0"],
        ["NextPartNumberMarker", "1"],
        ["MaxParts", "1"],
        ["IsTruncated", "true"],
        [
          "Part",
          [
            ["PartNumber", "1"],
            ["Size", "5"],
          ],
        ],
      ],
    ],
    ["ObjectSize", "10"],
  ]);
});

test("a page of 1,000 keys costs little more than joining its texts", () => {
  const objects = Array.from({ length: 1000 }, (_, index) => ({ ...object, key: `photos/2026/${index} & more.jpg` }));
  const page = { scope, objects, commonPrefixes: [], truncated: false };
  const plain = () => objects.map((it) => JSON.stringify(it)).join("");
  const measure = (work: () => string) => {
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 30; round += 1) {
      const start = performance.now();
      work();
      best = Math.min(best, performance.now() - start);
    }
    return best;
  };
  const listMs = measure(() => writeObjectListV2(page));
  expect(listMs).toBeLessThan(10 * measure(plain) + 0.5);
});
