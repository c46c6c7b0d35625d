/* Hyperscan in block mode, one call per line: the yardstick for the pattern engine. In C, since calls from JavaScript
 * would cost more than the matching. Declares what it uses of libhyperscan's interface (hs_compile.h, hs_runtime.h of
 * Hyperscan 5), so that the library alone is enough to build it.
 *   hyperscan check RULES         prints the rules that Hyperscan takes
 *   hyperscan scan RULES LOG      prints buildMs, scanMs, lines, matched, rssMb as JSON
 *   hyperscan lines LOG           the same for finding the ends of lines and nothing else */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

typedef struct { char *message; int expression; } compile_error;
typedef int (*on_match)(unsigned, unsigned long long, unsigned long long, unsigned, void *);
int hs_compile_multi(const char *const *, const unsigned *, const unsigned *, unsigned, unsigned, const void *, void **,
                     compile_error **);
int hs_free_compile_error(compile_error *);
int hs_alloc_scratch(const void *, void **);
int hs_scan(const void *, const char *, unsigned, unsigned, void *, on_match, void *);

/* Lines hold no newline, so that MULTILINE changes no answer. Without it the 1,407 rules that Hyperscan takes of
 * Debian's were not compiled after 90 s of CPU time; with it they take 8 s. */
enum { MODE_BLOCK = 1, DOTALL = 2, MULTILINE = 4, SINGLEMATCH = 8 };

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static char *slurp(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) { perror(path); exit(1); }
  fseek(file, 0, SEEK_END);
  *size = (size_t)ftell(file);
  rewind(file);
  char *text = malloc(*size + 1);
  if (text == NULL || fread(text, 1, *size, file) != *size) { perror(path); exit(1); }
  text[*size] = 0;
  fclose(file);
  return text;
}

static unsigned split(char *text, char ***lines) {
  unsigned count = 0, room = 1024;
  *lines = malloc(room * sizeof **lines);
  for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
    if (count == room) *lines = realloc(*lines, (room *= 2) * sizeof **lines);
    (*lines)[count++] = line;
  }
  return count;
}

static void *compile(char **rules, unsigned count, int tolerant) {
  unsigned *flags = malloc(count * sizeof *flags);
  for (unsigned i = 0; i < count; i++) flags[i] = DOTALL | MULTILINE | SINGLEMATCH;
  void *database = NULL;
  compile_error *error = NULL;
  if (hs_compile_multi((const char *const *)rules, flags, NULL, count, MODE_BLOCK, NULL, &database, &error) != 0) {
    if (!tolerant) { fprintf(stderr, "hyperscan: %s\n", error->message); exit(1); }
    hs_free_compile_error(error);
    database = NULL;
  }
  free(flags);
  return database;
}

static int stop(unsigned id, unsigned long long from, unsigned long long to, unsigned flags, void *context) {
  (void)id, (void)from, (void)to, (void)flags, (void)context;
  return 1;
}

static void scan(const void *database, const char *log, size_t size, double build_ms) {
  void *scratch = NULL;
  if (database != NULL && hs_alloc_scratch(database, &scratch) != 0) exit(1);
  unsigned long lines = 0, matched = 0;
  double began = now_ms();
  for (const char *at = log, *end = log + size; at < end; lines++) {
    const char *newline = memchr(at, '\n', (size_t)(end - at));
    if (newline == NULL) newline = end;
    /* 1 from the callback ends the scan, which then answers HS_SCAN_TERMINATED (-3). */
    if (database != NULL && hs_scan(database, at, (unsigned)(newline - at), 0, scratch, stop, NULL) == -3) matched++;
    at = newline + 1;
  }
  double scan_ms = now_ms() - began;
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("{\"buildMs\":%f,\"scanMs\":%f,\"lines\":%lu,\"matched\":%lu,\"rssMb\":%f}\n", build_ms, scan_ms, lines,
         matched, usage.ru_maxrss * 1024 / 1e6);
}

int main(int argc, char **argv) {
  size_t size;
  char **rules;
  if (argc == 3 && strcmp(argv[1], "lines") == 0) {
    char *log = slurp(argv[2], &size);
    scan(NULL, log, size, 0);
    return 0;
  }
  if (argc < 3) return 64;
  unsigned count = split(slurp(argv[2], &size), &rules);
  if (strcmp(argv[1], "check") == 0) {
    for (unsigned i = 0; i < count; i++)
      if (compile(rules + i, 1, 1) != NULL) puts(rules[i]);
    return 0;
  }
  double began = now_ms();
  void *database = compile(rules, count, 0);
  double build_ms = now_ms() - began;
  char *log = slurp(argv[3], &size);
  scan(database, log, size, build_ms);
  return 0;
}
