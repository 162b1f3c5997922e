import type { Option, Options } from "@stowage/core";
import { formatValue } from "./expectation.ts";
import { durationPattern, numberPattern, sizePattern } from "./units.ts";

/** A JSON Schema, draft 7: the one that editors know. */
export interface JsonSchema {
  readonly [keyword: string]: JsonSchema | readonly JsonSchema[] | readonly string[] | string | number | boolean | undefined;
}

/** The JSON Schema of a group of options. */
export function groupOf(options: Options): JsonSchema {
  const required = Object.keys(options).filter((name) => options[name]?.required === true);
  return {
    type: "object",
    additionalProperties: false,
    ...(required.length > 0 && { required }),
    properties: Object.fromEntries(Object.entries(options).map(([name, option]) => [name, ofOption(option)])),
  };
}

function ofOption(option: Option): JsonSchema {
  const { description } = option;
  const given = "default" in option && option.default !== undefined ? option.default : undefined;
  const standard = given === undefined ? {} : { default: typeof given === "number" ? asWritten(option, given) : given };
  return { description, ...valueOf(option), ...standard };
}

function valueOf(option: Option): JsonSchema {
  switch (option.kind) {
    case "duration":
      return { type: "string", pattern: durationPattern };
    case "size":
      return {
        anyOf: [
          { type: "integer", ...range(option) },
          { type: "string", pattern: sizePattern },
        ],
      };
    case "number":
      return {
        anyOf: [
          { type: option.whole ? "integer" : "number", ...range(option) },
          { type: "string", pattern: numberPattern },
        ],
      };
    case "boolean":
      return { type: "boolean" };
    case "text":
      return { type: "string", ...(option.pattern !== undefined && { pattern: option.pattern.source }) };
    case "choice":
      return { enum: option.values };
    case "path":
      return { type: "string", minLength: 1 };
    case "secret":
      return ref("secret");
    case "list": {
      const { minLength, maxLength } = option;
      return {
        type: "array",
        items: ofOption(option.item),
        ...(minLength > 0 && { minItems: minLength }),
        ...(Number.isFinite(maxLength) && { maxItems: maxLength }),
      };
    }
    case "object":
      return groupOf(option.options);
    case "record":
      return { type: "object", additionalProperties: ofOption(option.value) };
    case "storage":
      return ref("storageReference");
    case "either":
      return { anyOf: option.alternatives.map(ofOption) };
  }
}

function range({ min, max }: { readonly min: number; readonly max: number }): JsonSchema {
  return { ...(Number.isFinite(min) && { minimum: min }), ...(Number.isFinite(max) && { maximum: max }) };
}

/** A default as it would be written: `10s`, or a number. */
function asWritten(option: Option, value: number): string | number {
  return option.kind === "number" || option.kind === "either" ? value : formatValue(option, value);
}

/** A definition of the whole schema, by its name. */
export function ref(definition: string): JsonSchema {
  return { $ref: `#/definitions/${definition}` };
}
