// Why a route did not take a report, said once at the edge in the words of the person who has to mend it.

/** A delivery that failed. `cause` keeps the first error. */
export class DeliveryError extends Error {
  readonly mend: string;
  /** False when the same message would be refused again. */
  readonly worthRetrying: boolean;

  constructor(message: string, mend: string, worthRetrying: boolean, cause?: unknown) {
    super(message, { cause });
    this.name = "DeliveryError";
    this.mend = mend;
    this.worthRetrying = worthRetrying;
  }
}

/** The errno's name of an error from Node, or "". */
export function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
