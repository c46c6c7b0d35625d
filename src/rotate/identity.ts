// Lends a rotation the rights of the user that `su` names, for one synchronous stretch at a time: nothing else in the
// process ever runs with them, and the way back cannot be forgotten.
import type { Identity } from "./types.ts";

/** Runs `work` with the effective user and group of `identity`, or as we are for null. `work` must not be async. */
export function withIdentity<T>(identity: Identity | null, work: () => T): T {
  if (identity === null || process.seteuid === undefined || process.setegid === undefined) return work();
  const uid = process.geteuid!();
  const gid = process.getegid!();
  if (uid === identity.uid && gid === identity.gid) return work();
  const groups = process.getgroups!();
  // Groups first: the user that `su` names may not change them. Root's own groups must not come along.
  if (uid === 0) process.setgroups!([identity.gid]);
  process.setegid(identity.gid);
  process.seteuid(identity.uid);
  try {
    return work();
  } finally {
    process.seteuid(uid);
    process.setegid(gid);
    if (uid === 0) process.setgroups!(groups);
  }
}
