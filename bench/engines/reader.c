/* Who reads a guard's words, and wastes no time with it: notes when each line could be read, and passes it on.
 *   reader STAMPS COMMAND...   runs the command; its lines go on to standard output as they are, and the time of each into
 *                              the file STAMPS, a line a line
 *   reader SOCKET              is the syslog daemon at SOCKET (unix(7), datagrams): "TIME MESSAGE", a line a message;
 *                              "ready" once it listens
 * Times in seconds since the epoch. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static char text[65536];

static void stamp(int to, const char *after, size_t bytes) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  dprintf(to, "%lld.%09ld%.*s\n", (long long)now.tv_sec, now.tv_nsec, (int)bytes, after);
}

static int pass_on(const char *path, char **command) {
  int stamps = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  int ends[2];
  if (stamps < 0 || pipe(ends) != 0) return perror("reader"), 1;
  if (fork() == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    execvp(command[0], command);
    perror(command[0]);
    _exit(127);
  }
  close(ends[1]);
  for (ssize_t got; (got = read(ends[0], text, sizeof text)) > 0;) {
    for (char *at = text; (at = memchr(at, '\n', (size_t)(text + got - at))) != NULL; at++) stamp(stamps, "", 0);
    if (write(STDOUT_FILENO, text, (size_t)got) != got) return 1;
  }
  return 0;
}

static int be_syslog(const char *path) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  int log = socket(AF_UNIX, SOCK_DGRAM, 0);
  strncpy(name.sun_path, path, sizeof name.sun_path - 1);
  if (log < 0 || bind(log, (struct sockaddr *)&name, sizeof name) != 0) return perror(path), 1;
  dprintf(STDOUT_FILENO, "ready\n");
  text[0] = ' ';
  for (ssize_t got; (got = recv(log, text + 1, sizeof text - 1, 0)) >= 0;) {
    for (ssize_t at = 1; at <= got; at++)
      if (text[at] == '\n' || text[at] == '\0') text[at] = ' ';
    stamp(STDOUT_FILENO, text, (size_t)got + 1);
  }
  return 1;
}

int main(int argc, char **argv) {
  if (argc < 2) return fprintf(stderr, "usage: reader STAMPS COMMAND... | reader SOCKET\n"), 2;
  return argc == 2 ? be_syslog(argv[1]) : pass_on(argv[1], argv + 2);
}
