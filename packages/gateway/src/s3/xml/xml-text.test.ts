import fc from "fast-check";
import { expect, test } from "vitest";
import { bareEtag, quotedEtag } from "./etag.ts";
import { parseXml } from "./xml-parser.ts";
import { escapeXml, leaf, urlEncode, xmlTime } from "./xml-text.ts";

test("markup becomes entities and everything else stays", () => {
  expect(escapeXml(`a<b>&"c"'é😀/`)).toBe("a&lt;b&gt;&amp;&quot;c&quot;'é😀/");
  expect(leaf("Key", "a&b")).toBe("<Key>a&amp;b</Key>");
  expect(leaf("Key", undefined)).toBe("");
});

test("control characters become character references", () => {
  expect(escapeXml("a\u0001b\tc\nd\re\u0000\u007f\uFFFF")).toBe("a&#x1;b&#x9;c&#xa;d&#xd;e&#x0;&#x7f;&#xffff;");
});

test("what XML can carry is read back as it was", () => {
  for (const text of ["\r\n\t", " a ", "]]>", "\u0085\u2028", "&amp;", "😀e\u0301", "\u007f\u009f", "\uFFFD"]) {
    expect(parseXml(new TextEncoder().encode(leaf("Key", text))).text).toBe(text);
  }
});

test("keys are URL-encoded as a form, with their slashes", () => {
  expect(urlEncode("test_file(3).png")).toBe("test_file%283%29.png");
  expect(urlEncode("a b+c/d//e")).toBe("a+b%2Bc/d//e");
  expect(urlEncode("é😀")).toBe("%C3%A9%F0%9F%98%80");
  expect(urlEncode("~!'()*-._&=:%")).toBe("%7E%21%27%28%29*-._%26%3D%3A%25");
  expect(urlEncode("\u0001\n")).toBe("%01%0A");
});

test("every key is told apart by its URL-encoding and comes back from it", () => {
  for (let code = 0; code < 0x3000; code += 1) {
    const key = `a${String.fromCodePoint(code)}/b`;
    expect(decodeURIComponent(urlEncode(key).replaceAll("+", " "))).toBe(key);
  }
});

test("times are ISO 8601 with milliseconds", () => {
  expect(xmlTime(Date.UTC(2009, 9, 12, 17, 50, 30))).toBe("2009-10-12T17:50:30.000Z");
  const days = fc.integer({ min: -1, max: 1 });
  fc.assert(
    fc.property(fc.integer({ min: -1e12, max: 2e13 }), fc.array(fc.tuple(days, fc.nat(86_400_000))), (first, more) => {
      for (const timeMs of [first, ...more.map(([by, ms]) => first + by * 86_400_000 + ms)]) {
        expect(xmlTime(timeMs)).toBe(new Date(timeMs).toISOString());
      }
    }),
  );
});

test("an ETag is taken with and without quotes and as a weak one", () => {
  for (const text of ["abc-2", '"abc-2"', ' W/"abc-2" ']) expect(bareEtag(text)).toBe("abc-2");
  expect(bareEtag('"')).toBe('"');
  expect(quotedEtag("abc")).toBe('"abc"');
});
