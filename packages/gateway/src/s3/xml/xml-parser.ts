import { type SaxesAttributeNS, SaxesParser, type SaxesTagNS } from "saxes";
import { S3Error, type S3ErrorCode } from "../s3-error.ts";

/** Namespace of the S3 API's documents. */
export const s3Namespace = "http://s3.amazonaws.com/doc/2006-03-01/";

/** Namespace of `xsi:type`, by which a grantee says what it is. */
const schemaInstanceNamespace = "http://www.w3.org/2001/XMLSchema-instance";

/** An element of a request. `text` is that of the element alone, `type` its `xsi:type`. */
export interface XmlElement {
  readonly name: string;
  readonly type: string | undefined;
  readonly text: string;
  readonly children: readonly XmlElement[];
}

/** Bounds of a document; each protects memory and the event loop. */
export interface XmlLimits {
  readonly bytesMax: number;
  readonly elementsMax: number;
  readonly depthMax: number;
  readonly attributesMax: number;
  /** Entities and character references: each costs ten times what a character does. */
  readonly referencesMax: number;
  /** Bytes between two tags, or of one tag: no value of S3 is nearly as long. */
  readonly runMax: number;
}

/** What a request document of S3 fits into. */
export const xmlLimits: XmlLimits = {
  bytesMax: 2 * 1024 * 1024,
  elementsMax: 40_000,
  depthMax: 10,
  attributesMax: 8,
  referencesMax: 50_000,
  runMax: 64 * 1024,
};

/** The configurations of a bucket are small: 1,000 lifecycle rules are the largest. */
export const configurationLimits: XmlLimits = { ...xmlLimits, bytesMax: 1024 * 1024 };

/** Tags, a state, a date: documents of a few elements. */
export const smallDocumentLimits: XmlLimits = { ...xmlLimits, bytesMax: 64 * 1024, elementsMax: 2_000 };

interface OpenElement extends XmlElement {
  text: string;
  readonly children: OpenElement[];
}

/**
 * Reads a document strictly: UTF-8, no DOCTYPE, no entity but the five of XML and character references, no processing
 * instruction, elements in the namespace of S3 or in none. Throws MalformedXML.
 */
export function parseXml(bytes: Uint8Array, limits: XmlLimits = xmlLimits): XmlElement {
  if (bytes.length > limits.bytesMax) throw malformed(`the document has more than ${limits.bytesMax} bytes`);
  requireModest(bytes, limits);
  const text = decodeUtf8(bytes);
  if (startsWithDoctype(text)) throw malformed("a DOCTYPE is not allowed");
  const tree = new TreeBuilder(limits);
  const parser = new SaxesParser({ xmlns: true, position: false });
  parser.on("error", (error) => {
    throw malformed(error.message);
  });
  parser.on("xmldecl", ({ encoding }) => {
    if (encoding !== undefined && encoding.toLowerCase() !== "utf-8") throw malformed("the encoding must be UTF-8");
  });
  parser.on("processinginstruction", () => {
    throw malformed("processing instructions are not allowed");
  });
  parser.on("opentagstart", () => tree.count());
  parser.on("attribute", () => tree.countAttribute());
  parser.on("opentag", (tag) => tree.open(tag));
  parser.on("text", (piece) => tree.text(piece));
  parser.on("cdata", (piece) => tree.text(piece));
  parser.on("closetag", () => tree.close());
  parser.write(text).close();
  return tree.root();
}

class TreeBuilder {
  readonly #limits: XmlLimits;
  readonly #open: OpenElement[] = [];
  #root: OpenElement | undefined;
  #elements = 0;
  #attributes = 0;

  constructor(limits: XmlLimits) {
    this.#limits = limits;
  }

  /** Before its attributes are read, so that no flood is read to its end. */
  count(): void {
    this.#elements += 1;
    this.#attributes = 0;
    if (this.#elements > this.#limits.elementsMax) throw malformed("the document has too many elements");
    if (this.#open.length >= this.#limits.depthMax) throw malformed("the document is nested too deeply");
  }

  countAttribute(): void {
    this.#attributes += 1;
    if (this.#attributes > this.#limits.attributesMax) throw malformed("an element has too many attributes");
  }

  open(tag: SaxesTagNS): void {
    if (tag.uri !== "" && tag.uri !== s3Namespace) throw malformed(`<${tag.local}> is in a namespace that S3 lacks`);
    const element = { name: tag.local, type: schemaType(tag.attributes), text: "", children: [] };
    this.#open.at(-1)?.children.push(element);
    this.#root ??= element;
    this.#open.push(element);
  }

  text(piece: string): void {
    const element = this.#open.at(-1);
    if (element !== undefined) element.text += piece;
  }

  close(): void {
    this.#open.pop();
  }

  root(): XmlElement {
    if (this.#root === undefined) throw malformed("the document is empty");
    return this.#root;
  }
}

/** The elements of S3 have no attributes but `xsi:type`; namespace declarations and hints of a schema mean nothing. */
function schemaType(attributes: Record<string, SaxesAttributeNS>): string | undefined {
  let type: string | undefined;
  for (const key in attributes) {
    const attribute = attributes[key];
    if (attribute === undefined || attribute.prefix === "xmlns" || attribute.name === "xmlns") continue;
    if (attribute.uri !== schemaInstanceNamespace) throw malformed(`the attribute ${attribute.local} is not known`);
    if (attribute.local === "type") type = attribute.value;
  }
  return type;
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw malformed("the document is not UTF-8");
  }
}

const ampersand = 0x26;
const lessThan = 0x3c;

/** A native search over the bytes finds the documents that would keep the parser busy to no end. */
function requireModest(bytes: Uint8Array, { referencesMax, runMax }: XmlLimits): void {
  let references = 0;
  for (let at = bytes.indexOf(ampersand); at !== -1; at = bytes.indexOf(ampersand, at + 1)) {
    references += 1;
    if (references > referencesMax) throw malformed("the document has too many references");
  }
  for (let from = 0; from < bytes.length; ) {
    const next = bytes.indexOf(lessThan, from);
    const end = next === -1 ? bytes.length : next;
    if (end - from > runMax) throw malformed(`a text or tag is longer than ${runMax} bytes`);
    from = end + 1;
  }
}

/** Looks at what stands before the root, so that a large internal subset is not even scanned. */
function startsWithDoctype(text: string): boolean {
  let at = 0;
  for (;;) {
    while (/\s/.test(text.charAt(at))) at += 1;
    const end = text.startsWith("<?", at) ? "?>" : text.startsWith("<!--", at) ? "-->" : undefined;
    if (end === undefined) return text.startsWith("<!DOCTYPE", at);
    const next = text.indexOf(end, at + 2);
    if (next === -1) return false;
    at = next + end.length;
  }
}

function malformed(reason: string): S3Error {
  return refusedXml("MalformedXML", reason);
}

/** A refusal of a document; what it quotes is cut, because names in it came from the client. */
export function refusedXml(code: S3ErrorCode, reason: string): S3Error {
  const shown = reason.length > 200 ? `${reason.slice(0, 200)}…` : reason;
  return new S3Error(code, `The XML is not well-formed, or not what this request takes: ${shown}.`);
}
