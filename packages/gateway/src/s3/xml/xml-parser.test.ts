import { expect, test } from "vitest";
import { S3Error } from "../s3-error.ts";
import { parseXml, s3Namespace, xmlLimits } from "./xml-parser.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);

test("a document becomes its elements, with entities and CDATA resolved", () => {
  const text = `<?xml version="1.0" encoding="UTF-8"?><!-- a note --><Delete xmlns="${s3Namespace}">
    <Object><Key>a &amp; b&#xD;<![CDATA[<c>]]>é<!-- gone -->😀</Key></Object></Delete>`;
  const root = parseXml(utf8(`\uFEFF${text}`));
  expect(root.name).toBe("Delete");
  expect(root.children[0]?.children[0]).toEqual({ name: "Key", type: undefined, text: "a & b\r<c>é😀", children: [] });
});

test("no namespace, the one of S3 and a prefix for it mean the same", () => {
  const plain = parseXml(utf8("<Tagging><TagSet/></Tagging>"));
  expect(parseXml(utf8(`<Tagging xmlns="${s3Namespace}"><TagSet/></Tagging>`))).toEqual(plain);
  expect(parseXml(utf8(`<s:Tagging xmlns:s="${s3Namespace}"><s:TagSet/></s:Tagging>`))).toEqual(plain);
});

test("a grantee's xsi:type is read", () => {
  const xsi = "http://www.w3.org/2001/XMLSchema-instance";
  expect(parseXml(utf8(`<Grantee xmlns:x="${xsi}" x:type="Group"/>`)).type).toBe("Group");
});

const utf16 = (text: string) => new Uint8Array(Buffer.from(`\uFEFF${text}`, "utf16le"));
const laughs = `<!DOCTYPE l [<!ENTITY a "ha">${Array.from({ length: 9 }, (_, i) => `<!ENTITY l${i} "${`&l${i - 1};`.repeat(10)}">`).join("")}]><l>&l8;</l>`;

const refusals: readonly (readonly [string, Uint8Array])[] = [
  ["nothing", utf8("")],
  ["spaces only", utf8("   ")],
  ["text without an element", utf8("hello")],
  ["an unclosed element", utf8("<a><b></b>")],
  ["crossed tags", utf8("<a><b></a></b>")],
  ["two roots", utf8("<a/><a/>")],
  ["a doubled attribute", utf8('<a x="1" x="2"/>')],
  ["an attribute nobody knows", utf8('<a x="1"/>')],
  ["an unbound prefix", utf8("<x:a/>")],
  ["another namespace", utf8('<a xmlns="urn:other"/>')],
  ["another namespace below", utf8('<a><b xmlns="urn:other"/></a>')],
  ["a doctype", utf8("<!DOCTYPE a><a/>")],
  ["a doctype after a comment", utf8("<?xml version='1.0'?> <!-- x --> <!DOCTYPE a><a/>")],
  ["a system entity", utf8('<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>')],
  ["billion laughs", utf8(laughs)],
  ["an entity of its own", utf8("<a>&x;</a>")],
  ["an entity named like a property", utf8("<a>&constructor;&__proto__;</a>")],
  ["a processing instruction", utf8("<?php x?><a/>")],
  ["a character beyond Unicode", utf8("<a>&#xFFFFFF;</a>")],
  ["a huge character number", utf8(`<a>&#${"9".repeat(100_000)};</a>`)],
  ["a NUL reference", utf8("<a>&#0;</a>")],
  ["a surrogate reference", utf8("<a>&#xD800;</a>")],
  ["a control character", utf8("<a>\u0001</a>")],
  ["UTF-16", utf16("<a/>")],
  ["UTF-16 without a mark", utf16("<a/>").subarray(2)],
  ["UTF-16 by declaration", utf8('<?xml version="1.0" encoding="UTF-16"?><a/>')],
  ["UTF-7 by declaration", utf8('<?xml version="1.0" encoding="UTF-7"?>+ADw-a/+AD4-')],
  ["Latin-1 bytes", new Uint8Array([0x3c, 0x61, 0x3e, 0xe9, 0x3c, 0x2f, 0x61, 0x3e])],
  ["an overlong form", new Uint8Array([0x3c, 0x61, 0x3e, 0xc0, 0xbc, 0x3c, 0x2f, 0x61, 0x3e])],
  ["a text after the root", utf8("<a/>x")],
];

test.each(refusals)("A51 A52 %s is MalformedXML", (_, bytes) => {
  expect(() => parseXml(bytes)).toThrow(
    expect.objectContaining({ name: "S3Error", code: "MalformedXML", status: 400 }),
  );
});

test("A52 each limit holds at the limit and refuses one more", () => {
  const nested = (depth: number) => utf8("<a>".repeat(depth) + "</a>".repeat(depth));
  const siblings = (count: number) => utf8(`<r>${"<a/>".repeat(count - 1)}</r>`);
  const sized = (bytes: number) => utf8("<a></a>".padEnd(bytes));
  const referring = (count: number) => utf8(`<a>${"&#65;".repeat(40)}${"<b>&amp;</b>".repeat(count - 40)}</a>`);
  const running = (bytes: number) => utf8(`<a>${"x".repeat(bytes - 2)}</a>`);
  const declared = (count: number) =>
    utf8(`<a ${Array.from({ length: count }, (_, i) => `xmlns:p${i}="u${i}"`).join(" ")}/>`);
  const small = { ...xmlLimits, bytesMax: 50_000 };
  const few = { ...xmlLimits, referencesMax: 1000 };
  for (const [document, limit, limits] of [
    [nested, xmlLimits.depthMax, xmlLimits],
    [siblings, xmlLimits.elementsMax, xmlLimits],
    [declared, xmlLimits.attributesMax, xmlLimits],
    [running, xmlLimits.runMax, xmlLimits],
    [sized, small.bytesMax, small],
    [referring, few.referencesMax, few],
  ] as const) {
    parseXml(document(limit), limits);
    expect(() => parseXml(document(limit + 1), limits)).toThrow(S3Error);
  }
});

/** Largest documents that attacks send; each is cut long before its end, or is one pass over bounded bytes. */
const floods: readonly (readonly [string, string])[] = [
  ["depth", "<a>".repeat(100_000)],
  ["siblings", `<r>${"<a/>".repeat(400_000)}`],
  ["attributes", `<a ${Array.from({ length: 100_000 }, (_, i) => `a${i}=""`).join(" ")}/>`],
  ["namespaces", `<a ${Array.from({ length: 60_000 }, (_, i) => `xmlns:a${i}="u"`).join(" ")}/>`],
  ["entities", `<!DOCTYPE a [${'<!ENTITY a "b">'.repeat(100_000)}]><a/>`],
  ["one big entity", `<!DOCTYPE a [<!ENTITY a "${"b".repeat(100_000)}">]><a>${"&a;".repeat(100_000)}</a>`],
  ["undefined entities", `<a>${"&x;".repeat(500_000)}</a>`],
  ["character references", `<a>${"&#x41;".repeat(340_000)}</a>`],
  ["long text", `<a>${"x".repeat(2_000_000)}</a>`],
  ["long tag name", `<${"a".repeat(2_000_000)}`],
  ["open comments", `<a>${"<!--".repeat(400_000)}`],
];

test.each(floods)("A51 a flood of %s is refused in less time than a good document takes", (_, text) => {
  const flood = utf8(text).subarray(0, xmlLimits.bytesMax);
  const good = utf8(`<r>${"<a>text of this &amp; that</a>".repeat(39_000)}</r>`);
  parseXml(good);
  const goodMs = fastest(() => void parseXml(good));
  const floodMs = fastest(() => expect(() => parseXml(flood)).toThrow(S3Error));
  expect(floodMs).toBeLessThan(goodMs * 1.5 + 2);
});

test("A52 100 MB are refused by their length alone", () => {
  const bytes = new Uint8Array(100_000_000).fill(0x20);
  expect(fastest(() => expect(() => parseXml(bytes)).toThrow(S3Error))).toBeLessThan(10);
});

function fastest(work: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 3; round += 1) {
    const start = performance.now();
    work();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}
