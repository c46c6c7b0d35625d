// Where this kernel does not hear of every write (inotify(7)): others write there over a network, or a program answers for the
// file system. Whoever waits for events has to look there by itself.

// statfs(2) types: NFS, SMB, SMB2, FUSE, 9P, Ceph.
const SILENT = new Set([0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x65735546, 0x01021997, 0x00c36400]);

/** @param type as statfs gives it, which shows large ones as negative on some systems */
export function isSilent(type: number): boolean {
  return SILENT.has(type >>> 0);
}
