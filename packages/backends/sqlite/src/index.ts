export { sqliteStorage, SqliteStorage } from "./sqlite-storage.ts";
export type { BackupOptions, SqliteSize } from "./sqlite-storage.ts";
export type { SqliteOptions } from "./options.ts";
export type { BackupProgress } from "./backup.ts";
