// The scheduling class that wakes a thread before all ordinary ones and still cannot be misused: SCHED_DEADLINE grants so
// much of the processor in each period, and the kernel itself stops a thread that wants more until the next (sched(7)).
import { SystemCallError } from "../core/errors.ts";
import { errnoName, koffi, libc } from "./libc.ts";

/** So many milliseconds of a processor in each period. */
export type Budget = { readonly runtimeMs: number; readonly periodMs: number };

// linux/sched.h and linux/sched/types.h; struct sched_attr in its first form.
const SCHED_OTHER = 0;
const SCHED_DEADLINE = 6;
// Whatever the thread starts is ordinary again, and may be started at all.
const RESET_ON_FORK = 0x01;
// Using up the budget is told by SIGXCPU.
const TELL_OVERRUN = 0x04;
const ATTRIBUTES_BYTES = 48;
const POLICY = 4;
const FLAGS = 8;
const RUNTIME = 24;
const DEADLINE = 32;
const PERIOD = 40;
const NS_PER_MS = 1e6;

// Older C libraries have no names for these calls. Numbers: asm/unistd.h of each processor.
const NUMBERS: Partial<Record<string, { readonly set: number; readonly get: number }>> = {
  x64: { set: 314, get: 145 },
  arm64: { set: 274, get: 120 },
};

type Syscall = (number: number, thread: number, argument: Uint8Array | null, flags: number) => number;

let call: Syscall | undefined;

function syscall(): Syscall {
  call ??= libc().func(
    "int64_t syscall(int64_t number, int64_t thread, void *argument, int64_t flags)",
  ) as unknown as Syscall;
  return call;
}

/**
 * Lets a thread run before all ordinary ones, for as long as its budget lasts. When it is used up, the thread rests until
 * the next period and its process is sent SIGXCPU, which ends a process that does not expect it.
 * @param thread of a process: the main one has the number of the process
 * @throws SystemCallError EPERM without CAP_SYS_NICE or on some of the processors only, EBUSY when others were promised
 *   too much, ENOSYS where the kernel or the processor is not known to have it
 */
export function giveDeadline(thread: number, { runtimeMs, periodMs }: Budget): void {
  const attributes = attributesOf(SCHED_DEADLINE);
  attributes.setBigUint64(FLAGS, BigInt(RESET_ON_FORK | TELL_OVERRUN), true);
  attributes.setBigUint64(RUNTIME, BigInt(runtimeMs * NS_PER_MS), true);
  attributes.setBigUint64(DEADLINE, BigInt(periodMs * NS_PER_MS), true);
  attributes.setBigUint64(PERIOD, BigInt(periodMs * NS_PER_MS), true);
  set(thread, attributes);
}

/**
 * Makes the calling thread an ordinary one again, which takes no privilege. There is no way to do this to another on
 * purpose: to one that sleeps Linux 6.18 does it without taking back what it was promised, and after some of those nobody is
 * promised anything any more.
 * @throws SystemCallError
 */
export function giveUpDeadline(): void {
  const attributes = attributesOf(SCHED_OTHER);
  // Otherwise the flag would have to be dropped, and dropping it takes privilege.
  attributes.setBigUint64(FLAGS, BigInt(RESET_ON_FORK), true);
  set(0, attributes);
}

/** Whether a thread has a deadline now; false where that cannot be asked. */
export function hasDeadline(thread: number): boolean {
  const numbers = NUMBERS[process.arch];
  if (numbers === undefined) return false;
  return (Number(syscall()(numbers.get, thread, null, 0)) & 0xff) === SCHED_DEADLINE;
}

function attributesOf(policy: number): DataView {
  const attributes = new DataView(new ArrayBuffer(ATTRIBUTES_BYTES));
  attributes.setUint32(0, ATTRIBUTES_BYTES, true);
  attributes.setUint32(POLICY, policy, true);
  return attributes;
}

function set(thread: number, attributes: DataView): void {
  const numbers = NUMBERS[process.arch];
  if (numbers === undefined) throw refused(koffi().os.errno["ENOSYS"]!);
  const bytes = new Uint8Array(attributes.buffer);
  if (Number(syscall()(numbers.set, thread, bytes, 0)) < 0) throw refused(koffi().errno());
}

function refused(errno: number): SystemCallError {
  return new SystemCallError("sched_setattr", errno, errnoName(errno), "SCHED_DEADLINE");
}
