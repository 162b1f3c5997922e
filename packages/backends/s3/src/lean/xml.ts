/** One element of an answer. */
export interface XmlElement {
  readonly name: string;
  /** What stands in it outside of its children. */
  readonly text: string;
  readonly children: readonly XmlElement[];
}

/** Deeper than any answer of S3. */
const maxDepth = 16;

/**
 * Reads an answer of S3: one element with elements and text. Attributes are passed over. What S3 does not send is refused: document
 * types, and so entities of their own, processing instructions, and whatever is not closed as it was opened.
 */
export function parseXml(source: string): XmlElement {
  const open: { readonly name: string; text: string; readonly children: XmlElement[] }[] = [{ name: "", text: "", children: [] }];
  let at = source.charCodeAt(0) === 0xfe_ff ? 1 : 0;
  while (at < source.length) {
    const tag = source.indexOf("<", at);
    const top = open.at(-1)!;
    const text = unescape(source.slice(at, tag === -1 ? source.length : tag));
    if (open.length > 1) top.text += text;
    else if (text.trim() !== "") throw new Error("text outside of the element");
    if (tag === -1) break;
    const end = endOf(source, tag);
    if (source.startsWith("<!--", tag) || (source.startsWith("<?xml ", tag) && source.slice(0, tag).trim() === "")) {
      at = end;
    } else if (source.startsWith("<![CDATA[", tag)) {
      if (open.length === 1) throw new Error("text outside of the element");
      top.text += source.slice(tag + 9, end - 3);
      at = end;
    } else if (source[tag + 1] === "/") {
      if (open.length === 1 || source.slice(tag + 2, end - 1).trimEnd() !== top.name) throw new Error("an element that is not closed");
      open.pop();
      open.at(-1)!.children.push(top);
      at = end;
    } else {
      const empty = source[end - 2] === "/";
      const name = tagName.exec(source.slice(tag + 1, end - (empty ? 2 : 1)))?.[1];
      if (name === undefined) throw new Error("no tag of an element");
      const element = { name, text: "", children: [] };
      if (empty) top.children.push(element);
      else if (open.push(element) > maxDepth) throw new Error("too many elements in each other");
      at = end;
    }
  }
  const [root] = open;
  const [element, another] = root!.children;
  if (open.length > 1 || element === undefined || another !== undefined) throw new Error("not one whole element");
  return element;
}

/** What an element says under a name; nothing where it has no such child. */
export function textOf(element: XmlElement, name: string): string | undefined {
  return element.children.find((child) => child.name === name)?.text;
}

/** Text as it stands in XML, white space kept as it is. */
export function escapeXml(text: string): string {
  return text.replaceAll(/[<>&"'\t\n\r]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Whether XML 1.0 can hold a text at all. */
export function fitsXml(text: string): boolean {
  // oxlint-disable-next-line no-control-regex
  return !/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/.test(text);
}

const tagName = /^([A-Za-z_][\w.:-]*)(?:\s+[\w.:-]+\s*=\s*(?:"[^"<]*"|'[^'<]*'))*\s*$/;
const entities: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

/** The position behind a tag, a comment or a piece of raw text. */
function endOf(source: string, tag: number): number {
  const close = source.startsWith("<!--", tag) ? "-->" : source.startsWith("<![CDATA[", tag) ? "]]>" : ">";
  const end = source.indexOf(close, tag + 1);
  if (end === -1) throw new Error("a tag without an end");
  return end + close.length;
}

function unescape(text: string): string {
  if (!text.includes("&")) return text;
  return text.replaceAll(/&([^;&]{0,12});?/g, (whole, name: string) => {
    const known = entities[name];
    if (known !== undefined && whole.endsWith(";")) return known;
    const [, hex, decimal] = /^#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))$/.exec(name) ?? [];
    const point = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    if (!whole.endsWith(";") || !(point <= 0x10_ff_ff)) throw new Error("an unknown entity");
    return String.fromCodePoint(point);
  });
}
