// Waiting for something to become true, by polling, with the name of what was waited for when it does not.

/**
 * Polls until `probe` returns something other than null, undefined or false, and returns that.
 * @param what named in the error
 * @param timeoutMs generous: a slow machine must not fail a test
 */
export async function waitFor<T>(
  what: string,
  probe: () => T | null | undefined | false | Promise<T | null | undefined | false>,
  timeoutMs = 20_000,
): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== null && value !== undefined && value !== false) return value;
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms for ${what}, in vain`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
