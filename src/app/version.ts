// The version, read from the one place that holds it.

// Not imported: as a module it would make Node load all of node:fs, which takes longer than to say the version.
const { readFileSync } = process.getBuiltinModule("node:fs");

const manifest = JSON.parse(readFileSync(`${import.meta.dirname}/../../package.json`, "utf8")) as {
  version: string;
};

export const VERSION: string = manifest.version;
