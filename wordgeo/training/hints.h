/* Hints to the processor, where the compiler has them: they change nothing but time. */
#ifndef WORDGEO_HINTS_H
#define WORDGEO_HINTS_H

#if defined(__GNUC__) || defined(__clang__)
#define PREFETCH(address) __builtin_prefetch((address), 1, 3)
#define PREFETCH_SECOND(address) __builtin_prefetch((address), 0, 2) /* into the second cache, not the first */
#define ALIGNED __attribute__((aligned(64)))
#else
#define PREFETCH(address) ((void)(address))
#define PREFETCH_SECOND(address) ((void)(address))
#define ALIGNED
#endif

#endif
