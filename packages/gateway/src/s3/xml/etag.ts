/** The ETag without quotes and without the mark of a weak one; clients send it either way. */
export function bareEtag(text: string): string {
  const strong = text.trim().replace(/^W\//, "");
  return strong.length >= 2 && strong.startsWith('"') && strong.endsWith('"') ? strong.slice(1, -1) : strong;
}

/** The ETag as it stands in headers and documents. */
export function quotedEtag(bare: string): string {
  return `"${bare}"`;
}
