// Writes the documents that are generated from tables in the program, so that they cannot disagree with it.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { manPages } from "../src/app/manpage.ts";
import { VERSION } from "../src/app/version.ts";
import { renderManual } from "../src/config/manual/render.ts";
import { renderExample } from "../src/config/render.ts";

const docs = join(import.meta.dirname, "../docs");
writeFileSync(join(docs, "telltale.toml.example"), renderExample());
mkdirSync(join(docs, "manual"), { recursive: true });
writeFileSync(join(docs, "manual/configuration.md"), renderManual());
mkdirSync(join(docs, "man"), { recursive: true });
for (const [name, text] of manPages(VERSION)) writeFileSync(join(docs, "man", name), text);
