// The names under which telltale answers as one of the tools it replaces, by link or as a first word.

export type Face = { main(argv: readonly string[]): Promise<number> };

// No prototype: "constructor" is no face.
export const FACES: Readonly<Partial<Record<string, () => Promise<Face>>>> = Object.assign(
  Object.create(null),
  {
    portsentry: () => import("../faces/portsentry.ts"),
    logrotate: () => import("../faces/logrotate.ts"),
    logcheck: () => import("../faces/logcheck.ts"),
    "logcheck-test": () => import("../faces/logcheck-test.ts"),
    logtail: () => import("../faces/logtail.ts"),
    logtail2: () => import("../faces/logtail2.ts"),
  },
);
