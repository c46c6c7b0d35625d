// Which state of this room's code made a compiled form. engine.test.ts holds it against the code itself: an engine that
// changed must never be handed what an older one compiled.

/** The first characters of the SHA-256 over the room's code. */
export const ENGINE = "2c242966cb3ea153";
