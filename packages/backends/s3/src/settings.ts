import type { Clock } from "@stowage/core";
import type { Transport } from "./transport.ts";

/** What the parts of a storage work with. */
export interface Settings {
  readonly transport: Transport;
  readonly prefix: string;
  readonly checksum: boolean;
  readonly partSize: number;
  readonly partsInFlight: number;
  readonly clock: Clock;
}
