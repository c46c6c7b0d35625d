// The names under which telltale answers as one of the tools it replaces, by link or as a first word.

export type Face = { main(argv: readonly string[]): Promise<number> };

export const FACES: Readonly<Record<string, (() => Promise<Face>) | undefined>> = {
  __proto__: null as never,
};
