import type { ContractPromise } from "./promise.ts";
import { wrongArguments } from "./promises/arguments.ts";
import { atomicWrites } from "./promises/atomic-writes.ts";
import { batches } from "./promises/batches.ts";
import { conditions } from "./promises/conditions.ts";
import { deletes } from "./promises/deletes.ts";
import { errors } from "./promises/errors.ts";
import { etags } from "./promises/etags.ts";
import { expiry } from "./promises/expiry.ts";
import { keys } from "./promises/keys.ts";
import { keyPairs } from "./promises/key-pairs.ts";
import { lifecycle } from "./promises/lifecycle.ts";
import { listing } from "./promises/listing.ts";
import { metadata } from "./promises/metadata.ts";
import { missing } from "./promises/missing.ts";
import { paging } from "./promises/paging.ts";
import { signals } from "./promises/signals.ts";
import { reading } from "./promises/reading.ts";
import { values } from "./promises/values.ts";
import { byteValues } from "./promises/byte-values.ts";
import { writing } from "./promises/writing.ts";

/**
 * The contract of a storage as a list of named promises, in the order of their sections. Register it with any test
 * runner; `describeStorage` does so with Vitest, `runContract` goes without one.
 */
export const contract: readonly ContractPromise[] = [
  ...missing,
  ...errors,
  ...wrongArguments,
  ...keys,
  ...keyPairs,
  ...values,
  ...byteValues,
  ...metadata,
  ...atomicWrites,
  ...conditions,
  ...etags,
  ...expiry,
  ...listing,
  ...paging,
  ...deletes,
  ...batches,
  ...signals,
  ...reading,
  ...writing,
  ...lifecycle,
];
