import * as fc from "fast-check";
import { expect, test } from "vitest";
import { escapeXml, fitsXml, parseXml, textOf } from "./xml.ts";

test("an answer is read with its elements, text and entities", () => {
  const root = parseXml(`<?xml version='1.0' encoding="UTF-8"?>
    <!-- from somewhere --><A xmlns="http://x/"><B>a &lt;b&gt; &#65;&#x1F600;&amp;amp;</B><C/><D e='1' f="2"></D><B>two</B></A>`);
  expect(root.name).toBe("A");
  expect(root.children.map(({ name }) => name)).toEqual(["B", "C", "D", "B"]);
  expect([textOf(root, "B"), textOf(root, "C"), textOf(root, "E")]).toEqual(["a <b> A😀&amp;", "", undefined]);
});

test("what S3 does not send is refused, and at once", () => {
  const wrong = [
    "",
    "text",
    "<A>",
    "</A>",
    "<A></B>",
    "<A/><B/>",
    "<A>&unknown;</A>",
    "<A>&#x110000;</A>",
    "<A>& </A>",
    "<A",
    "<A b=c/>",
    "<1/>",
    "<!DOCTYPE a [<!ENTITY b 'c'>]><A>&b;</A>",
    "<A><?php ?></A>",
    "<A/>text",
    "<A>".repeat(100) + "</A>".repeat(100),
    "<".repeat(100_000),
  ];
  for (const text of wrong) expect(() => parseXml(text)).toThrow(Error);
});

test("any text that XML can hold comes back", () => {
  const text = fc.string({ unit: "binary" }).filter(fitsXml);
  fc.assert(
    fc.property(text, (value) => {
      expect(textOf(parseXml(`<A><B>${escapeXml(value)}</B></A>`), "B")).toBe(value);
    }),
    { seed: 7 },
  );
});

test("whatever comes is read or refused, and never hangs", () => {
  const piece = fc.constantFrom("<", ">", "/", "A", "&", ";", "lt", "<A>", "</A>", "<!--", "-->", "<![CDATA[", "]]>", '"', "=", " ");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      try {
        parseXml(pieces.join(""));
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
      }
    }),
    { seed: 7, numRuns: 2_000 },
  );
});
