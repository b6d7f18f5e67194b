/* Sets the clocks of a process back, as a hypervisor does that pauses its machine. Loaded with
 * LD_PRELOAD. CLOCK_OFFSETS names a file with two 64-bit numbers of nanoseconds, which may change at
 * any time: how far the calendar clock is behind, and how far the other clocks are. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *offsets;

__attribute__((constructor)) static void map_offsets(void)
{
    const char *path = getenv("CLOCK_OFFSETS");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *mapped = mmap(NULL, 2 * sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED)
        abort();
    offsets = mapped;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, time);
    if (result != 0 || !offsets || clock == CLOCK_PROCESS_CPUTIME_ID || clock == CLOCK_THREAD_CPUTIME_ID)
        return result;
    int is_calendar = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
    int64_t now = time->tv_sec * INT64_C(1000000000) + time->tv_nsec - offsets[is_calendar ? 0 : 1];
    time->tv_sec = now / INT64_C(1000000000);
    time->tv_nsec = now % INT64_C(1000000000);
    return 0;
}
