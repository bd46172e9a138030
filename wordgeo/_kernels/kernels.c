/* One build for every processor: each instruction set's functions carry their own target attribute. */
#include "kernels.h"

#include "analogies.h"

#include <math.h>
#include <string.h>

#define PLAIN 0
#define AVX2 1
#define AVX512 2

#if (defined(__GNUC__) || defined(__clang__)) && defined(__x86_64__)
#define WORDGEO_X86
#include <immintrin.h>
#endif

#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
#define NAME(function) JOIN(function, SET)

#define SET baseline
#define SET_NAME "baseline"
#define TARGET
#define LANES PLAIN
#include "int16_body.h"
#include "kernels_body.h"

#ifdef WORDGEO_X86

#define SET avx2
#define SET_NAME "avx2"
#define TARGET __attribute__((target("avx2,fma")))
#define LANES AVX2
#include "int16_body.h"
#include "kernels_body.h"

#define SET avx512
#define SET_NAME "avx512"
#define TARGET __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")))
#define LANES AVX512
#include "int16_body.h"
#include "kernels_body.h"

#include "int8.h"

#define SET vnni
#define TARGET __attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512vnni,avx2,fma")))
#define LANES AVX512
#define MULTIPLY_ADD(sum, x, y) __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(y))
#include "int16_body.h"

static const wordgeo_kernels kernels_vnni = {
    "vnni",       dot_avx512,   dots_avx512,        select_avx512,     select_sum_avx512, quantise16_vnni,
    tile16_vnni,  sweep16_vnni, differences16_vnni, logarithms16_vnni, distances16_vnni,  dot_float_vnni,
    tile8_vnni,   leading8_vnni,
};

#endif

const wordgeo_kernels *const wordgeo_kernel_sets[] = {
    &kernels_baseline,
#ifdef WORDGEO_X86
    &kernels_avx2,
    &kernels_avx512,
    &kernels_vnni,
#endif
    NULL,
};

int wordgeo_processor_has(const char *name) {
    if (strcmp(name, "baseline") == 0)
        return 1;
#ifdef WORDGEO_X86
    __builtin_cpu_init();
    if (strcmp(name, "avx2") == 0)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    const int avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    if (strcmp(name, "avx512") == 0)
        return avx512;
    if (strcmp(name, "vnni") == 0)
        return avx512 && __builtin_cpu_supports("avx512vnni");
#endif
    return 0;
}
