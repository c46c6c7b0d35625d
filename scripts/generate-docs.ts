// Writes the documents that are generated from tables in the program, so that they cannot disagree with it.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { renderExample } from "../src/config/render.ts";

const root = join(import.meta.dirname, "..");
writeFileSync(join(root, "docs/telltale.toml.example"), renderExample());
