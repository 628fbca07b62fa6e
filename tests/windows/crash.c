/* Dies as Windows programs die: by the argument, of an access violation, a full stack or want of memory. */
#include <windows.h>
#include <stdio.h>

static volatile int depth;

static int deeper(int level)
{
    volatile char frame[4096];
    frame[0] = (char)level;
    depth = level;
    return deeper(level + 1) + frame[0];
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
    if (!strcmp(how, "access")) *(volatile int *)NULL = 1;
    if (!strcmp(how, "stack")) return deeper(0);
    if (!strcmp(how, "memory")) {
        /* What Rust says and does. */
        fputs("memory allocation of 4096 bytes failed\n", stderr);
        fflush(stderr);
        ExitProcess(0xC0000409);
    }
    return 3;
}
