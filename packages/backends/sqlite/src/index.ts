export { sqliteStorage, SqliteStorage } from "./sqlite-storage.ts";
export type { BackupOptions, SqliteOptions, SqliteSize } from "./sqlite-storage.ts";
export type { BackupProgress } from "./backup.ts";
