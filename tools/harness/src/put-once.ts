import { fileStorage } from "@stowage/file";
import { makeValue } from "./value.ts";

const { directory, puts } = JSON.parse(process.argv[2] as string) as { directory: string; puts: number };
const storage = fileStorage({ directory, durability: "power" });
for (let number = 1; number <= puts; number++) await storage.put(`folder/${number % 5}`, makeValue(number, number * 1_000));
await storage.close();
