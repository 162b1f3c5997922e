export { LevelStorage, levelStorage } from "./level-storage.ts";
export type { LevelOptions } from "./level-storage.ts";
