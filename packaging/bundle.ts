// Writes what a package holds beside the runtime and is made from the sources: the program in few files, completions,
// and a program for each face. Called by scripts/package: node packaging/bundle.ts LIB COMPLETIONS
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { build } from "esbuild";
import { completions } from "../src/app/completions.ts";
import { FACES } from "../src/app/faces.ts";

const root = join(import.meta.dirname, "..");
const [lib, completionsDirectory] = process.argv.slice(2);
if (lib === undefined || completionsDirectory === undefined)
  throw new Error("usage: bundle.ts LIB COMPLETIONS");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
const program = join(lib, "program");

// koffi stays a package of its own: it finds its library by its path. Commands stay files of their own, so that a
// small one loads little.
await build({
  absWorkingDir: root,
  // A thread's program is a file of its own, beside those that start it.
  entryPoints: {
    main: "src/app/main.ts",
    "squeeze-thread": "src/rotate/squeeze/thread.ts",
    "judge-thread": "src/check/team/thread.ts",
  },
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node26",
  external: ["koffi"],
  outdir: program,
  sourcemap: true,
  sourcesContent: false,
  charset: "utf8",
  legalComments: "inline",
  plugins: [
    {
      name: "version", // read from package.json in a clone; a package has none
      setup: ({ onLoad }) =>
        void onLoad({ filter: /\/src\/app\/version\.ts$/ }, () => ({
          contents: `export const VERSION = ${JSON.stringify(version)};`,
        })),
    },
    {
      name: "toml", // required in a clone, where a bundler does not find it
      setup: ({ onLoad }) =>
        void onLoad({ filter: /\/src\/config\/toml\.ts$/ }, () => ({
          contents: 'export { parse, TomlError } from "smol-toml";',
          resolveDir: root,
        })),
    },
  ],
  logLevel: "warning",
});
writeFileSync(join(program, "package.json"), '{ "type": "module" }\n');

// The guard tells by "/src/ROOM/" in a stack which part to restart. Maps name the sources so, and not by the place
// where they happened to lie when they were built.
const here = `${relative(program, root)}/`;
for (const name of readdirSync(program).filter((file) => file.endsWith(".map"))) {
  const path = join(program, name);
  const map = JSON.parse(readFileSync(path, "utf8")) as { sources: string[] };
  map.sources = map.sources.map((source) =>
    source.startsWith(here) ? `/${source.slice(here.length)}` : source,
  );
  writeFileSync(path, JSON.stringify(map));
}
for (const name of readdirSync(program)) chmodSync(join(program, name), 0o644);

mkdirSync(completionsDirectory, { recursive: true });
for (const [name, text] of completions()) writeFileSync(join(completionsDirectory, name), text);

// Programs, not links: whoever follows links before it runs a program would lose the name.
mkdirSync(join(lib, "faces"));
for (const face of Object.keys(FACES)) {
  const script = `#!/bin/sh\nexec "$(dirname -- "$(readlink -f -- "$0")")/../../../bin/telltale" ${face} "$@"\n`;
  const path = join(lib, "faces", face);
  writeFileSync(path, script);
  chmodSync(path, 0o755);
}
