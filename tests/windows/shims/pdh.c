/* The performance counters that sysinfo links to and Wine 8 lacks: they exist, and answer that there are none
 * (PDH_CSTATUS_NO_OBJECT). CPU use then reads 0. */
#include <windows.h>

#define ABSENT(name) __declspec(dllexport) DWORD WINAPI name(void) { return 0xC0000BB8; }

ABSENT(PdhOpenQueryW)
ABSENT(PdhCloseQuery)
ABSENT(PdhAddEnglishCounterW)
ABSENT(PdhCollectQueryData)
ABSENT(PdhEnumObjectsW)
ABSENT(PdhGetFormattedCounterArrayW)
ABSENT(PdhGetFormattedCounterValue)
ABSENT(PdhRemoveCounter)
