import { expect, test } from "vitest";
import { algorithmByName, algorithmOfHeader, checksumAlgorithms, checksumInfo } from "./checksum-algorithm.ts";
import { contentMd5, requestedChecksum, requireChecksum } from "./checksum-request.ts";
import { formatChecksum, parseChecksum, parseContentMd5, requireSame } from "./checksum-value.ts";
import { digestOf } from "./streaming-checksum.ts";

const refuses = (code: string, work: () => unknown) => expect(work).toThrow(expect.objectContaining({ code }));
const crc32 = "y/Q5Jg==";

test("a checksum in a header is read with its algorithm", () => {
  expect(requestedChecksum({ "x-amz-sdk-checksum-algorithm": "CRC32", "x-amz-checksum-crc32": crc32 })).toEqual({
    algorithm: "CRC32",
    value: new Uint8Array(Buffer.from("cbf43926", "hex")),
    inTrailer: false,
  });
  expect(requestedChecksum({ host: "h" })).toBeUndefined();
});

test("a checksum is announced in a trailer", () => {
  const announced = { "x-amz-trailer": "x-amz-checksum-crc64nvme" };
  expect(requestedChecksum(announced)).toEqual({ algorithm: "CRC64NVME", inTrailer: true });
  expect(requestedChecksum({ "x-amz-trailer": " X-Amz-Checksum-SHA256 " })?.algorithm).toBe("SHA256");
  const named = { ...announced, "x-amz-sdk-checksum-algorithm": "crc64nvme" };
  expect(requestedChecksum(named)).toEqual(requestedChecksum(announced));
});

test("settings that begin like a checksum are none", () => {
  const settings = {
    "x-amz-checksum-mode": "ENABLED",
    "x-amz-checksum-algorithm": "SHA256",
    "x-amz-checksum-type": "COMPOSITE",
  };
  expect(requestedChecksum(settings)).toBeUndefined();
});

test.each([
  ["two headers", { "x-amz-checksum-crc32": crc32, "x-amz-checksum-crc32c": crc32 }],
  ["a header and a trailer", { "x-amz-checksum-crc32": crc32, "x-amz-trailer": "x-amz-checksum-crc32" }],
  ["two trailers", { "x-amz-trailer": "x-amz-checksum-crc32,x-amz-checksum-sha1" }],
  ["one header twice, as an array", { "x-amz-checksum-crc32": [crc32, crc32] }],
  ["one header twice, joined", { "x-amz-checksum-crc32": `${crc32}, ${crc32}` }],
  ["an unknown checksum", { "x-amz-checksum-md6": crc32 }],
  ["an unknown trailer", { "x-amz-trailer": "x-amz-meta-a" }],
  ["an empty trailer", { "x-amz-trailer": "" }],
  ["an unknown algorithm", { "x-amz-sdk-checksum-algorithm": "CRC16" }],
  ["a property's name as algorithm", { "x-amz-sdk-checksum-algorithm": "constructor" }],
  ["an algorithm without a checksum", { "x-amz-sdk-checksum-algorithm": "CRC32" }],
  ["too short a value", { "x-amz-checksum-crc32": "AAA=" }],
  ["too long a value", { "x-amz-checksum-crc32": "AAAAAAA=" }],
  ["a value in hex", { "x-amz-checksum-crc32": "cbf43926" }],
  ["a value in base64url", { "x-amz-checksum-crc32": "y_Q5Jg==" }],
  ["stray bits at the end", { "x-amz-checksum-crc32": "y/Q5Jh==" }],
  ["an empty value", { "x-amz-checksum-crc32": "" }],
])("%s is InvalidRequest", (_, headers) => {
  refuses("InvalidRequest", () => requestedChecksum(headers));
});

test("a checksum of another algorithm than named is BadDigest", () => {
  const named = { "x-amz-sdk-checksum-algorithm": "SHA1" };
  refuses("BadDigest", () => requestedChecksum({ ...named, "x-amz-checksum-crc32": crc32 }));
  refuses("BadDigest", () => requestedChecksum({ ...named, "x-amz-trailer": "x-amz-checksum-crc32" }));
});

test("a Content-MD5 is sixteen bytes of base64 or InvalidDigest", () => {
  const md5 = digestOf("MD5", new Uint8Array());
  expect(contentMd5({ "content-md5": formatChecksum(md5) })).toEqual(new Uint8Array(md5));
  expect(contentMd5({})).toBeUndefined();
  for (const text of [
    "",
    "abc",
    "1B2M2Y8AsgTpgAmY7PhCfg",
    `${formatChecksum(md5)}=`,
    "d41d8cd98f00b204e9800998ecf8427e",
  ]) {
    refuses("InvalidDigest", () => parseContentMd5(text));
  }
});

test("bytes that are not those of the checksum are BadDigest", () => {
  const sent = parseChecksum("CRC32", crc32);
  requireSame("CRC32", sent, digestOf("CRC32", Buffer.from("123456789")));
  refuses("BadDigest", () => requireSame("CRC32", sent, digestOf("CRC32", Buffer.from("12345678"))));
  refuses("BadDigest", () => requireSame("Content-MD5", sent, new Uint8Array(0)));
});

test("what must come with a checksum comes with either kind", () => {
  requireChecksum({ "content-md5": "any" });
  requireChecksum({ "x-amz-checksum-crc32": crc32 });
  requireChecksum({ "x-amz-trailer": "x-amz-checksum-crc32" });
  refuses("InvalidRequest", () => requireChecksum({}));
});

test("an algorithm is found by name and by header", () => {
  for (const algorithm of checksumAlgorithms) {
    expect(algorithmByName(algorithm.toLowerCase())).toBe(algorithm);
    expect(algorithmOfHeader(checksumInfo[algorithm].header)).toBe(algorithm);
  }
  expect(algorithmOfHeader("content-md5")).toBeUndefined();
});
