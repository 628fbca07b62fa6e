/* Dies as Windows programs die: by the argument, of an access violation, a full stack or want of memory. */
#include <windows.h>
#include <stdio.h>
#include <string.h>

/* Ends with the fault's number, without waiting for a debugger. */
static LONG WINAPI end(EXCEPTION_POINTERS *fault)
{
    (void)fault;
    return EXCEPTION_EXECUTE_HANDLER;
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "";
    SetUnhandledExceptionFilter(end);
    if (!strcmp(how, "access")) *(volatile int *)NULL = 1;
    /* Wine ends a program whose stack is really full without a number. */
    if (!strcmp(how, "stack")) RaiseException(EXCEPTION_STACK_OVERFLOW, 0, 0, NULL);
    if (!strcmp(how, "memory")) {
        /* What Rust says and does. */
        fputs("memory allocation of 4096 bytes failed\n", stderr);
        fflush(stderr);
        ExitProcess(0xC0000409);
    }
    return 3;
}
