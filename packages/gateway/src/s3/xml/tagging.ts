import { S3Error } from "../s3-error.ts";
import { type ElementReader, readDocument } from "./element-reader.ts";
import { xmlDocument } from "./xml-document.ts";
import { smallDocumentLimits } from "./xml-parser.ts";
import { leaf, nest } from "./xml-text.ts";

/** A tag of an object or a bucket. */
export interface Tag {
  readonly key: string;
  readonly value: string;
}

/** How many tags each may have. */
export const tagsMax = { object: 10, bucket: 50 } as const;

const keyCharactersMax = 128;
const valueCharactersMax = 256;
const allowed = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

/** Reads a `Tagging` document. Throws MalformedXML, and InvalidTag for tags that S3 does not take. */
export function readTagging(body: Uint8Array, of: keyof typeof tagsMax): readonly Tag[] {
  const tags = readDocument(body, "Tagging", (fields) => fields.child("TagSet", readTagElements), {
    limits: smallDocumentLimits,
  });
  return checkTags(tags, of);
}

/** Reads the `x-amz-tagging` header, a form of keys and values; an empty one has no tags. Throws InvalidTag. */
export function readTaggingHeader(header: string): readonly Tag[] {
  const tags = header
    .split("&")
    .filter((pair) => pair !== "")
    .map((pair) => {
      const at = pair.indexOf("=");
      return at === -1
        ? { key: formText(pair), value: "" }
        : { key: formText(pair.slice(0, at)), value: formText(pair.slice(at + 1)) };
    });
  return checkTags(tags, "object");
}

/** The same tags if S3 takes them all. Throws InvalidTag. */
export function checkTags(tags: readonly Tag[], of: keyof typeof tagsMax): readonly Tag[] {
  if (tags.length > tagsMax[of]) throw new S3Error("InvalidTag", `An ${of} has at most ${tagsMax[of]} tags.`);
  const seen = new Set<string>();
  for (const tag of tags) {
    const { key, value } = tag;
    if (key === "" || characters(key) > keyCharactersMax || !allowed.test(key)) throw invalid("key", tag);
    if (characters(value) > valueCharactersMax || !allowed.test(value)) throw invalid("value", tag);
    if (key.toLowerCase().startsWith("aws:")) {
      throw new S3Error("InvalidTag", "Tags that begin with aws: are the system's.", { TagKey: key });
    }
    if (seen.has(key)) throw new S3Error("InvalidTag", "Two tags have the same key.", { TagKey: key });
    seen.add(key);
  }
  return tags;
}

/** Reads the tags of a `TagSet`, unchecked. */
export function readTagElements(fields: ElementReader): Tag[] {
  return fields.children("Tag", readTag, { max: 1000 });
}

/** Reads one `Tag`, unchecked. */
export function readTag(fields: ElementReader): Tag {
  return { key: fields.text("Key"), value: fields.text("Value") };
}

/** A `Tagging` document. */
export function writeTagging(tags: readonly Tag[]): string {
  return xmlDocument("Tagging", nest("TagSet", tags.map(writeTag).join("")));
}

/** One `Tag` element. */
export function writeTag({ key, value }: Tag): string {
  return nest("Tag", leaf("Key", key) + leaf("Value", value));
}

function characters(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

function formText(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    throw new S3Error("InvalidTag", "The tagging header is not a form in UTF-8.");
  }
}

function invalid(what: "key" | "value", tag: Tag): S3Error {
  return new S3Error("InvalidTag", `The ${what} of a tag is too long, empty or has characters that are not allowed.`, {
    TagKey: [...tag.key].slice(0, keyCharactersMax).join(""),
  });
}
