// The reader of TOML. Published as a module it is nine files, and every command waits 3 ms longer for them; in the form for
// `require` it is one. The package has it among its own code (packaging/bundle.ts).
import { createRequire } from "node:module";

export const { parse, TomlError } = createRequire(import.meta.url)("smol-toml") as typeof import("smol-toml");
