// Whether a text can be the name of a host, so that what cannot be one is told to its writer and never asked of a resolver.

// RFC 1123, section 2.1, with the underscore that some hosts bear.
const NAME =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?)*\.?$/i;

/** False for every address, and for a mistyped IPv4 one: the last label of a name is never a number (RFC 3696, section 2). */
export function isHostName(text: string): boolean {
  return NAME.test(text) && !/(?:^|\.)\d+\.?$/.test(text);
}
