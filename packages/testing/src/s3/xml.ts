/** Elements by name; a list stands for several of one name. */
export interface XmlContent {
  readonly [name: string]: string | XmlContent | readonly (string | XmlContent)[] | undefined;
}

/** An answer of S3 as XML. */
export function toXml(name: string, content: XmlContent): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<${name} xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${inner(content)}</${name}>`;
}

/** What stands in each element of a name, as it was sent by a client. */
export function elementsOf(xml: string, name: string): string[] {
  return [...xml.matchAll(new RegExp(`<${name}>([^]*?)</${name}>`, "g"))].map(([, content = ""]) => content);
}

export function unescapeXml(text: string): string {
  return text.replaceAll(/&(#x[0-9a-fA-F]+|#\d+|lt|gt|amp|quot|apos);/g, (_, entity: string) => {
    if (entity.startsWith("#x")) return String.fromCodePoint(Number.parseInt(entity.slice(2), 16));
    if (entity.startsWith("#")) return String.fromCodePoint(Number(entity.slice(1)));
    return { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" }[entity] ?? "";
  });
}

function inner(content: XmlContent): string {
  let text = "";
  for (const [name, value] of Object.entries(content)) {
    const values = Array.isArray(value) ? (value as readonly (string | XmlContent)[]) : [value as string | XmlContent | undefined];
    for (const each of values) {
      if (each !== undefined) text += `<${name}>${typeof each === "string" ? escape(each) : inner(each)}</${name}>`;
    }
  }
  return text;
}

const escape = (text: string): string => text.replaceAll(/[<>&"]/g, (character) => `&#${character.charCodeAt(0)};`);
