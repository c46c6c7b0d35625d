// A source may be slowed down instead of shut out; the history tells the two apart.
export const THROTTLED = `
ALTER TABLE blocks ADD COLUMN throttled INTEGER NOT NULL DEFAULT 0;
`;
