/* A disk whose flush takes time, preloaded into the server under test: OBOL_FLUSH_MICROS says how much. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

int fdatasync(int fd) {
    static int (*next)(int);
    if (!next && !(next = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))) abort();
    const char *micros = getenv("OBOL_FLUSH_MICROS");
    if (micros) usleep((useconds_t)atoi(micros));
    return next(fd);
}
