import type { Headers } from "../transport.ts";

/** What the commands and the answers of the SDK call content headers and user metadata. */
export interface SdkHeaders {
  readonly CacheControl?: string | undefined;
  readonly ContentDisposition?: string | undefined;
  readonly ContentEncoding?: string | undefined;
  readonly ContentLanguage?: string | undefined;
  readonly ContentType?: string | undefined;
  readonly Metadata?: Record<string, string> | undefined;
}

interface SdkInput extends SdkHeaders {
  readonly IfMatch?: string | undefined;
  readonly IfNoneMatch?: string | undefined;
}

const user = "x-amz-meta-";

/** Headers of a request as the SDK wants them. */
export function inputOf(headers: Headers): SdkInput {
  const metadata: Record<string, string> = {};
  for (const [name, text] of Object.entries(headers)) if (name.startsWith(user)) metadata[name.slice(user.length)] = text;
  return {
    CacheControl: headers["cache-control"],
    ContentDisposition: headers["content-disposition"],
    ContentEncoding: headers["content-encoding"],
    ContentLanguage: headers["content-language"],
    ContentType: headers["content-type"],
    Metadata: metadata,
    IfMatch: headers["if-match"],
    IfNoneMatch: headers["if-none-match"],
  };
}

/** Headers of an object, names and values in turns. */
export function storedHeaders(output: SdkHeaders): string[] {
  const headers: string[] = [];
  const add = (name: string, text: string | undefined): void => void (text !== undefined && headers.push(name, text));
  add("cache-control", output.CacheControl);
  add("content-disposition", output.ContentDisposition);
  add("content-encoding", output.ContentEncoding);
  add("content-language", output.ContentLanguage);
  add("content-type", output.ContentType);
  for (const [name, text] of Object.entries(output.Metadata ?? {})) add(`${user}${name.toLowerCase()}`, text);
  return headers;
}
