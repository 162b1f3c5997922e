import type { Options } from "@stowage/core";
import { option } from "@stowage/core";

/** Names of tables: nothing that could be mistaken for the mark of the format, or for the index of another table. */
const tableName = { source: "^[A-Za-z_][A-Za-z0-9_-]{0,62}$", meaning: "a letter, then letters, digits, - and _, 63 at the most" };

/** The options, for code and for storage files. */
export const definitions: Options = {
  path: option.path("The database file. It is made if it is missing, and so is its folder.", { required: true }),
  table: option.text("Which of several storages in one file this is.", { pattern: tableName, default: "entries" }),
};
