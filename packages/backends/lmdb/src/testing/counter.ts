import { lmdbStorage } from "../lmdb-storage.ts";

// A process of its own that puts the numbers it is sent, and answers when they are acknowledged.
const storage = lmdbStorage({ path: process.argv[2]! });
process.on("message", (round) => {
  void storage.put("key", new TextEncoder().encode(String(round))).then(() => process.send!(round));
});
