/* A program that never ends by itself: what a handler of the tests starts. */
#include <windows.h>

int main(void)
{
    Sleep(INFINITE);
    return 0;
}
