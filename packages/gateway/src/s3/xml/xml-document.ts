import { s3Namespace } from "./xml-parser.ts";

/** The line every document begins with. An answer that takes long sends it first and then spaces until it has the root. */
export const xmlDeclaration = '<?xml version="1.0" encoding="UTF-8"?>\n';

/** A document of S3; `content` is XML. */
export function xmlDocument(root: string, content: string): string {
  return xmlDeclaration + xmlRoot(root, content);
}

/** The same without the declaration. */
export function xmlRoot(root: string, content: string): string {
  return `<${root} xmlns="${s3Namespace}">${content}</${root}>`;
}
