// Keys of [sentry]: where scans are watched for, and from when on something is one.
import type { KeyDefinition } from "./kind.ts";

const WEEK_MS = 604_800_000;

export const SENTRY_KEYS = [
  {
    name: "sentry.enabled",
    kind: { is: "switch" },
    fallback: true,
    summary: "watch for port scans",
    reason: "needs root or CAP_NET_RAW; named as off without",
  },
  {
    name: "sentry.interfaces",
    kind: { is: "texts" },
    fallback: [],
    summary: "interfaces to watch; empty: all but loopback",
    reason: "loopback is this host talking to itself",
  },
  {
    name: "sentry.loopback",
    kind: { is: "switch" },
    fallback: false,
    summary: "watch loopback too",
    reason: "only of use for trying things out",
  },
  {
    name: "sentry.tripwire_ports",
    kind: { is: "ports" },
    fallback: [],
    summary: "TCP and UDP ports where a single touch is a scan",
    reason: "empty, because one mistyped address must not lock anybody out unless you say so",
  },
  {
    name: "sentry.ignore",
    kind: { is: "prefixes" },
    fallback: [],
    summary: "sources whose probes are not even counted",
    reason: "vulnerability scanners of your own",
  },
  {
    name: "sentry.exclude_ports",
    kind: { is: "ports" },
    fallback: [],
    summary: "TCP and UDP ports whose probes never count",
    reason:
      "113 (ident) and 137 to 139 (NetBIOS) belong here where mail servers and Windows neighbours ask for them, and the ports of a knock: three of them are what the kernel takes for a scan",
  },
  {
    name: "sentry.ratio",
    kind: { is: "count", min: 2, max: 1_000_000 },
    fallback: 99,
    summary:
      "how many times likelier than an honest visitor a source must be a scanner before it is told as one",
    reason:
      "99 to 1 means 99 % found and 1 % wrong in the paper the method comes from (Jung, S&P 2004): four failed first contacts; 390 means five",
  },
  {
    name: "sentry.forget_after",
    kind: { is: "duration", minMs: 60_000, maxMs: 520 * WEEK_MS },
    fallback: "30d",
    summary: "failed contacts older than this no longer count",
    reason: "a scan of one port a week is still seen, an office that errs every other month is not",
  },
  {
    name: "sentry.restart_grace",
    kind: { is: "duration", minMs: 0, maxMs: WEEK_MS },
    fallback: "10m",
    summary: "a port that was in use is no evidence for this long after it closed",
    reason: "a service that restarts or fails must not make scanners of its visitors",
  },
  {
    name: "sentry.crowd",
    kind: { is: "count", min: 1, max: 100 },
    fallback: 8,
    summary: "live connections at once that speak for a source as one more success",
    reason:
      "a NAT or a monitoring host holds many, a scanner lets go at once; eight are remembered for each source",
  },
  {
    name: "sentry.weak_bits",
    kind: { is: "count", min: 1, max: 32 },
    fallback: 22,
    summary: "echo requests and late answers that make a scan by themselves, as bits of 32 that they set",
    reason: "22 bits take about 37 different ones; late answers of a busy name server touch a few",
  },
  {
    name: "sentry.weak_within",
    kind: { is: "duration", minMs: 1_000, maxMs: WEEK_MS },
    fallback: "10m",
    summary: "the time in which such weak evidence adds up",
    reason: "a sweep is over in minutes, and late answers come all day",
  },
  {
    name: "sentry.site_bits",
    kind: { is: "count", min: 1, max: 32 },
    fallback: 20,
    summary:
      "different contacts from one IPv6 /48 after which every source in it that probes is told, as bits of 32",
    reason: "20 bits take about 31 different ports; a site has 65,536 networks to spread a scan over",
  },
  {
    name: "sentry.site_within",
    kind: { is: "duration", minMs: 60_000, maxMs: 4 * WEEK_MS },
    fallback: "1d",
    summary: "the time in which the contacts of a /48 add up",
    reason: "the telephones of a town share a /48 and err, too",
  },
  {
    name: "sentry.distributed_ports",
    kind: { is: "count", min: 0, max: 65_535 },
    fallback: 128,
    summary: "different ports, tried by many sources together, that are told as a distributed scan; 0: never",
    reason:
      "a public address hears from some fifty strangers in ten minutes anyway, half of them at the same few ports",
  },
  {
    name: "sentry.distributed_sources",
    kind: { is: "count", min: 2, max: 100_000 },
    fallback: 64,
    summary: "sources that it takes; each counts with its first two contacts",
    reason: "fewer would soon be told one by one",
  },
  {
    name: "sentry.distributed_within",
    kind: { is: "duration", minMs: 10_000, maxMs: WEEK_MS },
    fallback: "10m",
    summary: "the time in which they add up",
    reason: "in hours, the noise of the Internet touches every port",
  },
  {
    name: "sentry.escalate_at",
    kind: { is: "count", min: 10, max: 6_000 },
    fallback: 100,
    summary: "different contacts at which a known scanner is told again, and once more at ten times as many",
    reason: "from a few ports to a sweep, and from a sweep to the whole host",
  },
  {
    name: "sentry.repeat_after",
    kind: { is: "duration", minMs: 60_000, maxMs: 52 * WEEK_MS },
    fallback: "1h",
    summary: "a scanner, or a distributed scan, that goes on is told again after this time",
    reason: "default blocks last ten minutes; who goes on after an hour deserves a second look",
  },
  {
    name: "sentry.max_scans_per_second",
    kind: { is: "count", min: 1, max: 10_000 },
    fallback: 32,
    summary: "scans told one by one, after a burst of eight times as many; the rest as a number",
    reason: "forged scanners must not drown the history and the report",
  },
  {
    name: "sentry.max_sources",
    kind: { is: "count", min: 1_024, max: 524_288 },
    fallback: 65_536,
    summary: "sources remembered at a time, at 128 bytes each",
    reason: "8 MB; forged sources push each other out, known scanners last",
  },
] as const satisfies readonly KeyDefinition[];
