/* Threads that meet many times in a millisecond: each says how far it is, and waits until all others are as far. */
#ifndef WORDGEO_TEAM_H
#define WORDGEO_TEAM_H

#include <stdint.h>

#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#define ACQUIRED(place) _InterlockedCompareExchange64((volatile __int64 *)(place), 0, 0)
#define RELEASE(place, value) ((void)_InterlockedExchange64((volatile __int64 *)(place), (value)))
#else
#define ACQUIRED(place) __atomic_load_n((place), __ATOMIC_ACQUIRE)
#define RELEASE(place, value) __atomic_store_n((place), (value), __ATOMIC_RELEASE)
#endif

#if defined(_WIN32)
/* Windows' own header makes macros of words such as `near`. */
__declspec(dllimport) int __stdcall SwitchToThread(void);
#define LET_OTHERS_RUN() ((void)SwitchToThread())
#else
#include <sched.h>
#define LET_OTHERS_RUN() ((void)sched_yield())
#endif

#if (defined(__GNUC__) || defined(__clang__)) && (defined(__x86_64__) || defined(__i386__))
#define BREATHE() __builtin_ia32_pause()
#elif (defined(__GNUC__) || defined(__clang__)) && defined(__aarch64__)
#define BREATHE() __asm__ volatile("yield")
#else
#define BREATHE() ((void)0)
#endif

enum { WORDGEO_LOOKS = 1000 }; /* before a thread lets others run: some microseconds */

typedef struct {
    int64_t at;
    int64_t unused[15]; /* two lines of the cache, which some processors fetch together */
} wordgeo_flag;

typedef struct {
    wordgeo_flag *flags; /* [threads], zero at the beginning */
    int threads, me;
    int64_t at;
} wordgeo_team;

static inline void wordgeo_meet(wordgeo_team *team) {
    const int64_t at = ++team->at;
    if (team->threads < 2)
        return;
    RELEASE(&team->flags[team->me].at, at);
    for (int other = 0; other < team->threads; other++)
        for (int looks = 0; ACQUIRED(&team->flags[other].at) < at; looks++)
            if (looks < WORDGEO_LOOKS)
                BREATHE();
            else
                LET_OTHERS_RUN();
}

#endif
