import { Turns } from "@stowage/core";

/** What all storages of the process encrypt and decrypt in one turn of the event loop. */
export const turns: Turns = new Turns(setImmediate);

/** Values of fewer bytes take less time than asking for it is worth. */
export const alwaysAtOnce: number = 64 * 1024;
