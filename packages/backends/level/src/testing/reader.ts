import { levelStorage } from "../level-storage.ts";

// A process of its own that opens a database, and answers with why it could not.
levelStorage({ directory: process.argv[2]! })
  .get("a")
  .then(
    () => process.send!({}),
    (error: unknown) => process.send!({ code: (error as { code: string }).code }),
  );
