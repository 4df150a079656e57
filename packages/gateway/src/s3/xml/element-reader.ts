import type { S3Error, S3ErrorCode } from "../s3-error.ts";
import { parseXml, refusedXml, type XmlElement, type XmlLimits } from "./xml-parser.ts";

/** Options of `readDocument`. `refusal` is the code for a document of the wrong form where it is not MalformedXML. */
export interface DocumentOptions {
  readonly limits?: XmlLimits;
  readonly refusal?: S3ErrorCode;
}

/** Parses a document with this root and reads it; whatever `read` does not ask for is refused. Throws MalformedXML. */
export function readDocument<T>(
  bytes: Uint8Array,
  root: string,
  read: (fields: ElementReader) => T,
  options: DocumentOptions = {},
): T {
  const element = parseXml(bytes, options.limits);
  const refusal = options.refusal ?? "MalformedXML";
  if (element.name !== root) throw refusedXml(refusal, `the root must be <${root}>`);
  return readWhole(new ElementReader(element, refusal), read);
}

/** Reads the children of one element by name and notices what nobody asked for. */
export class ElementReader {
  readonly #element: XmlElement;
  readonly #refusal: S3ErrorCode;
  readonly #children = new Map<string, XmlElement[]>();
  readonly #asked = new Set<string>();

  constructor(element: XmlElement, refusal: S3ErrorCode) {
    this.#element = element;
    this.#refusal = refusal;
    if (element.text.trim() !== "") throw this.malformed(`<${element.name}> must not have text of its own`);
    for (const child of element.children) {
      const same = this.#children.get(child.name);
      if (same === undefined) this.#children.set(child.name, [child]);
      else same.push(child);
    }
  }

  /** The `xsi:type` of the element. */
  get type(): string | undefined {
    return this.#element.type;
  }

  has(name: string): boolean {
    return this.#children.has(name);
  }

  textMaybe(name: string): string | undefined {
    const element = this.#oneMaybe(name);
    return element === undefined ? undefined : this.#leaf(element);
  }

  text(name: string): string {
    return this.#required(name, this.textMaybe(name));
  }

  /** Every occurrence of a leaf. */
  texts(name: string): string[] {
    return this.#all(name).map((element) => this.#leaf(element));
  }

  integerMaybe(name: string): number | undefined {
    const text = this.textMaybe(name)?.trim();
    if (text === undefined) return undefined;
    const value = /^[+-]?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
    if (!Number.isSafeInteger(value)) throw this.malformed(`<${name}> must be an integer`);
    return value;
  }

  integer(name: string): number {
    return this.#required(name, this.integerMaybe(name));
  }

  /** S3's own examples write both `true` and `TRUE`. */
  booleanMaybe(name: string): boolean | undefined {
    const text = this.textMaybe(name)?.trim().toLowerCase();
    if (text === undefined) return undefined;
    if (text === "true" || text === "1") return true;
    if (text === "false" || text === "0") return false;
    throw this.malformed(`<${name}> must be true or false`);
  }

  oneOfMaybe<T extends string>(name: string, values: readonly T[]): T | undefined {
    const text = this.textMaybe(name);
    if (text === undefined) return undefined;
    const value = values.find((it) => it === text.trim());
    if (value === undefined) throw this.malformed(`<${name}> must be one of ${values.join(", ")}`);
    return value;
  }

  oneOf<T extends string>(name: string, values: readonly T[]): T {
    return this.#required(name, this.oneOfMaybe(name, values));
  }

  /** Epoch milliseconds of an ISO 8601 time; without a zone it is UTC. */
  timeMaybe(name: string): number | undefined {
    const text = this.textMaybe(name)?.trim();
    if (text === undefined) return undefined;
    const match = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d:\d\d(?:\.\d{1,9})?)(Z|[+-]\d\d:?\d\d)?)?$/.exec(text);
    const timeMs = match === null ? Number.NaN : Date.parse(`${match[1]}T${match[2] ?? "00:00:00"}${match[3] ?? "Z"}`);
    if (Number.isNaN(timeMs)) throw this.malformed(`<${name}> must be an ISO 8601 time`);
    return timeMs;
  }

  childMaybe<T>(name: string, read: (fields: ElementReader) => T): T | undefined {
    const element = this.#oneMaybe(name);
    return element === undefined ? undefined : readWhole(new ElementReader(element, this.#refusal), read);
  }

  child<T>(name: string, read: (fields: ElementReader) => T): T {
    return this.#required(name, this.childMaybe(name, read));
  }

  /** Every occurrence of an element, between `min` and `max` of them. */
  children<T>(
    name: string,
    read: (fields: ElementReader) => T,
    { min = 0, max }: { readonly min?: number; readonly max: number },
  ): T[] {
    const elements = this.#all(name);
    if (elements.length < min) throw this.malformed(`<${name}> is missing`);
    if (elements.length > max) throw this.malformed(`at most ${max} <${name}> are allowed`);
    return elements.map((element) => readWhole(new ElementReader(element, this.#refusal), read));
  }

  /** Refuses what was not asked for. */
  finish(): void {
    for (const name of this.#children.keys()) {
      if (!this.#asked.has(name)) throw this.malformed(`<${name}> is not known in <${this.#element.name}>`);
    }
  }

  malformed(reason: string): S3Error {
    return refusedXml(this.#refusal, reason);
  }

  #all(name: string): readonly XmlElement[] {
    this.#asked.add(name);
    return this.#children.get(name) ?? [];
  }

  #oneMaybe(name: string): XmlElement | undefined {
    const elements = this.#all(name);
    if (elements.length > 1) throw this.malformed(`<${name}> stands more than once`);
    return elements[0];
  }

  #leaf(element: XmlElement): string {
    if (element.children.length > 0) throw this.malformed(`<${element.name}> must be text`);
    return element.text;
  }

  #required<T>(name: string, value: T | undefined): T {
    if (value === undefined) throw this.malformed(`<${name}> is missing`);
    return value;
  }
}

function readWhole<T>(fields: ElementReader, read: (fields: ElementReader) => T): T {
  const value = read(fields);
  fields.finish();
  return value;
}
