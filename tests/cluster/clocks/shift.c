/* Shifts the wall clock of the process that it is preloaded into by the seconds that the file $CLOCK_SHIFT holds, whenever it changes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *time) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int failed = real(clock, time);
  if (failed || clock != CLOCK_REALTIME) return failed;
  const char *path = getenv("CLOCK_SHIFT");
  FILE *file = path ? fopen(path, "r") : NULL;
  long long seconds = 0;
  if (file) {
    if (fscanf(file, "%lld", &seconds) != 1) seconds = 0;
    fclose(file);
  }
  time->tv_sec += seconds;
  return 0;
}
