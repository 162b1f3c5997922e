export type { FileOptions } from "./file-storage.ts";
export { fileStorage } from "./file-storage.ts";
export type { Answer, DirectCalls, FileCalls, FileLock, FileStat, FileSystem, FolderEntry, FolderReader } from "./file-system.ts";
export { nodeFileSystem } from "./file-system.ts";
