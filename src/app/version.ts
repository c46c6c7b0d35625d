// The version, read from the one place that holds it. An import, so that the shipped bundle carries it within.
import manifest from "../../package.json" with { type: "json" };

export const VERSION: string = manifest.version;
