/* The least that rotating logs can cost: the system calls alone, in C, with nothing decided, checked or remembered.
 *   rotation move FOLDER STATE   every FOLDER/x/y.log: .1 takes the place of .2, the log that of .1, and a new one is made
 *   rotation look FOLDER STATE   reads STATE and looks at every FOLDER/x/y.log
 * Both write STATE anew, as a rotation does (logrotate(8), FILES). */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void move(const char *log) {
  char first[PATH_MAX + 2], second[PATH_MAX + 2];
  snprintf(first, sizeof first, "%s.1", log);
  snprintf(second, sizeof second, "%s.2", log);
  if (rename(first, second) != 0 || rename(log, first) != 0) fail(log);
  int made = open(log, O_WRONLY | O_CREAT | O_EXCL, 0640);
  if (made < 0) fail(log);
  close(made);
}

static void read_all(const char *path) {
  char part[1 << 16];
  int from = open(path, O_RDONLY);
  if (from < 0) fail(path);
  while (read(from, part, sizeof part) > 0) continue;
  close(from);
}

int main(int argc, char **argv) {
  if (argc != 4) return 64;
  umask(0); /* modes are what open() says */
  int moves = strcmp(argv[1], "move") == 0;
  char path[PATH_MAX], next[PATH_MAX];
  snprintf(next, sizeof next, "%s.tmp", argv[3]);
  read_all(argv[3]);
  FILE *state = fopen(next, "w");
  if (state == NULL) fail(next);
  fputs("logrotate state -- version 2\n", state);
  struct dirent **folders;
  int folder_count = scandir(argv[2], &folders, NULL, alphasort);
  if (folder_count < 0) fail(argv[2]);
  for (int i = 0; i < folder_count; i++) {
    if (folders[i]->d_name[0] == '.') continue;
    snprintf(path, sizeof path, "%s/%s", argv[2], folders[i]->d_name);
    struct dirent **logs;
    int log_count = scandir(path, &logs, NULL, alphasort);
    if (log_count < 0) fail(path);
    for (int k = 0; k < log_count; k++) {
      size_t length = strlen(logs[k]->d_name);
      if (length < 4 || strcmp(logs[k]->d_name + length - 4, ".log") != 0) continue;
      struct stat found;
      snprintf(path, sizeof path, "%s/%s/%s", argv[2], folders[i]->d_name, logs[k]->d_name);
      if (lstat(path, &found) != 0) fail(path);
      if (moves) move(path);
      fprintf(state, "\"%s\" 2026-1-5-0:0:0\n", path);
    }
  }
  if (fflush(state) != 0 || fsync(fileno(state)) != 0 || fclose(state) != 0 || rename(next, argv[3]) != 0) fail(next);
  return 0;
}
