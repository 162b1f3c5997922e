import { Turns } from "@stowage/core";

/** What all storages of the process encrypt and decrypt in one turn of the event loop. */
export const turns: Turns = new Turns(setImmediate);

/** Values of fewer bytes take less time than asking for it is worth. */
export const alwaysAtOnce: number = 64 * 1024;

/** Times the bytes of a chunk that streams tell `litter`: the pieces below are garbage too. Measured on 1 GiB: 29 to 50 MiB of memory instead of 65 to 90. */
export const garbage: number = 8;
