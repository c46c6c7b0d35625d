// A run over thousands of logs waits for the system in most of what it does. What V8 does to make long calculations fast costs
// such a run time and memory and gains it nothing, so it is told to leave it.
import { setFlagsFromString } from "node:v8";

/**
 * Tunes V8 for a process that rotates and ends. 10,000 logs then take 100 MB in place of 140, and a tenth less CPU time
 * (`npm run bench -- rotate --only small`).
 */
export function tuneForRotation(): void {
  // The space for young objects would grow to several times what a run needs. The flag is read each time that it would
  // (V8's Heap::Resize), so that it may be set while the program runs.
  setFlagsFromString("--semi-space-growth-factor=1");
  // Maglev's code is fast enough between two system calls; what TurboFan would add is ready when the run is nearly over.
  setFlagsFromString("--no-turbofan");
}
