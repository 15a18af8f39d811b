/* What Rust's standard library wants of Windows's bcryptprimitives.dll, for wines that have none (before 9). Only for
   check.sh: no part of a release. */
#include <windows.h>
#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length)
{
    return RtlGenRandom(data, (ULONG)length);
}
