// Rotation by schedule and by size, and which of the logs that nobody keeps in bounds are news.
import { CoverageNews } from "../coverage-news.ts";
import type { PartContext, PartDefinition } from "../part.ts";

export const rotatePart: PartDefinition = {
  name: "rotate",
  stillRuns: "everything else; logs grow meanwhile",
  async start({ settings, bus, store, powers }: PartContext) {
    const { rotate, disk } = settings.config;
    // Where somebody else rotates, who writes what is looked at all the same.
    if (!rotate.enabled && !disk.enabled) return { off: "rotate.enabled = false" };
    const found = new CoverageNews(store, bus.emit);
    return await powers.rotation(settings, {
      event: bus.forward,
      emit: bus.emit,
      uncovered: (report) => found.tell(report),
    });
  },
};
