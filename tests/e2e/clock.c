// A clock of one's own for a process and its children: the wall clock, moved by as many seconds as a file says at that moment.
// What measures spans (CLOCK_MONOTONIC, sleep) stays as it is. Loaded by LD_PRELOAD; clock.py compiles it and writes the file.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

static const int64_t NANOS = 1000000000;
static const volatile int64_t *moved_by;

__attribute__((constructor)) static void open_file(void) {
  const char *name = getenv("CLOCK_FILE");
  int file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
  void *page = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *moved_by, PROT_READ, MAP_SHARED, file, 0);
  if (page == MAP_FAILED) abort();
  close(file);
  moved_by = page;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int failed = (int)syscall(SYS_clock_gettime, clock, now);
  if (!failed && moved_by && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += *moved_by;
  return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec exact;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *now) {
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  if (now) *now = exact.tv_sec;
  return exact.tv_sec;
}

static int64_t nanos(const struct timespec *moment) { return moment->tv_sec * NANOS + moment->tv_nsec; }

static int64_t read_clock(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return nanos(&now);
}

// C11 knows deadlines by the wall clock alone, and librdkafka waits by them. Where the clock is set back meanwhile, the wait takes so
// much longer, as with the system's own. In glibc these types are those of POSIX.
int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until) {
  int64_t left;
  while ((left = nanos(until) - read_clock(CLOCK_REALTIME)) > 0) {
    int64_t end = read_clock(CLOCK_MONOTONIC) + left;
    struct timespec steady = {end / NANOS, end % NANOS};
    int failed = pthread_cond_clockwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, CLOCK_MONOTONIC, &steady);
    if (failed != ETIMEDOUT) return failed ? thrd_error : thrd_success;
  }
  return thrd_timedout;
}
