// Lends a rotation the rights of the user that `su` names, for one synchronous stretch at a time: nothing else in the
// process ever runs with them, and the way back cannot be forgotten.
import type { Identity } from "./types.ts";

let own: Identity | null = null;
let lent: Identity | null = null;

/** Whose rights the process has at this moment. The system is asked once: a rotation wants to know for each file it makes. */
export function actingIdentity(): Identity {
  own ??= { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  return lent ?? own;
}

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
  lent = identity;
  try {
    return work();
  } finally {
    lent = null;
    process.seteuid(uid);
    process.setegid(gid);
    if (uid === 0) process.setgroups!(groups);
  }
}
