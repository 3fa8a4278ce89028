/* The engine: finite ResNets trained on one core, one network after the other, in cache.

   z_{l+1} = z_l + scale Σ_m a_m σ(w_m·z_l + b_m),  E = mean ½ r²,  dθ/ds = −L M ∇_θ E,

   and clouds of particles at the nodes of an implicit rule in depth (zeroloss.limit.collocation).

   The body is compiled twice, in double and in single precision. Compiled by clang; everything
   that could change a digit is spelt out (vectors of 64 bytes whatever the processor has, sums
   over their lanes in one order, fused multiply–adds where written and nowhere else), so that
   processors with fused multiply–add give the same bytes. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define EXPORT __attribute__((visibility("default")))

enum { TANH, SIGMOID, GELU, RELU2, REGULARISED_RELU, IDENTITY, RELU };

enum { DONE, NO_MEMORY, NOT_FINITE, TOO_MANY, NO_DEPTH };

#define MOST_STAGES 8
#define SHORTEST 1e-12 /* step that is given up, relative to 1 + s: zeroloss.integrate.runge_kutta.SHORTEST */

/* Butcher tableau: a (stages, stages), b, error = b − b̂, c (stages,). */
typedef struct {
    long stages, order;
    const double *a, *b, *error, *c;
} Tableau;
#define TABLEAU Tableau

/* An implicit rule in depth: matrix A and its adjoint (nodes, nodes), weights b. */
typedef struct {
    const double *matrix, *weights, *adjoint;
    double tolerance;
} Rule;

/* posix_memalign and malloc differ by platform; a line of cache more keeps loads inside. */
/* Blocks that a thread keeps from call to call: pages that are new to a process cost as much as the
   arithmetic on them. Large ones go back, where they are a small part. */
enum { KEPT_BLOCKS = 16, KEPT_BYTES = 1 << 23, HEADER = 64 };
static __thread struct {
    size_t *block[KEPT_BLOCKS]; /* the first word is the size */
    int oldest;
} kept;

static void *aligned(long bytes)
{
    size_t size = (size_t)(bytes + 127) / 64 * 64;
    for (int i = 0; i < KEPT_BLOCKS; i++)
        if (kept.block[i] && *kept.block[i] == size) {
            size_t *block = kept.block[i];
            kept.block[i] = NULL;
            return (char *)block + HEADER;
        }
    size_t *block = aligned_alloc(64, size + HEADER);
    if (!block) return NULL;
    *block = size;
    return (char *)block + HEADER;
}

static void give_back(void *memory)
{
    if (!memory) return;
    size_t *block = (size_t *)((char *)memory - HEADER);
    if (*block > KEPT_BYTES) {
        free(block);
        return;
    }
    for (int i = 0; i < KEPT_BLOCKS; i++)
        if (!kept.block[i]) {
            kept.block[i] = block;
            return;
        }
    int slot = kept.oldest++ % KEPT_BLOCKS;
    free(kept.block[slot]);
    kept.block[slot] = block;
}

/* x^(−1/order) for x > 0 by Newton's method from a linear guess in the exponent: no library's
   rounding enters. */
static double inverse_root(double x, long order)
{
    double p = (double)order, one = 1.0;
    int64_t bits = __builtin_bit_cast(int64_t, x), ones = __builtin_bit_cast(int64_t, one);
    double y = __builtin_bit_cast(double, ones + ones / order - bits / order);
    for (int i = 0; i < 8; i++) {
        double power = 1.0;
        for (long j = 0; j < order; j++) power *= y;
        y += y * (1.0 - x * power) / p;
    }
    return y;
}

/* y = S⁻¹ y by elimination with partial pivoting; S (m, m) is destroyed. Not 0 if singular. */
static int solve(long m, double *S, double *y)
{
    for (long k = 0; k < m; k++) {
        long best = k;
        for (long i = k + 1; i < m; i++)
            if (__builtin_fabs(S[i * m + k]) > __builtin_fabs(S[best * m + k])) best = i;
        if (!(__builtin_fabs(S[best * m + k]) > 0.0)) return 1;
        if (best != k) {
            for (long j = k; j < m; j++) {
                double swap = S[k * m + j];
                S[k * m + j] = S[best * m + j];
                S[best * m + j] = swap;
            }
            double swap = y[k];
            y[k] = y[best];
            y[best] = swap;
        }
        for (long i = k + 1; i < m; i++) {
            double factor = S[i * m + k] / S[k * m + k];
            if (factor == 0.0) continue;
            for (long j = k + 1; j < m; j++) S[i * m + j] -= factor * S[k * m + j];
            y[i] -= factor * y[k];
        }
    }
    for (long k = m - 1; k >= 0; k--) {
        for (long j = k + 1; j < m; j++) y[k] -= S[k * m + j] * y[j];
        y[k] /= S[k * m + k];
    }
    return 0;
}

/* P S = L U in place, L below the diagonal with ones on it; 1 if S is singular. */
static int factor(long m, double *S, long *pivots)
{
    for (long k = 0; k < m; k++) {
        long best = k;
        for (long i = k + 1; i < m; i++)
            if (__builtin_fabs(S[i * m + k]) > __builtin_fabs(S[best * m + k])) best = i;
        if (!(__builtin_fabs(S[best * m + k]) > 0.0)) return 1;
        pivots[k] = best;
        for (long j = 0; best != k && j < m; j++) {
            double swap = S[k * m + j];
            S[k * m + j] = S[best * m + j];
            S[best * m + j] = swap;
        }
        for (long i = k + 1; i < m; i++) {
            double multiple = S[i * m + k] /= S[k * m + k];
            for (long j = k + 1; j < m; j++) S[i * m + j] -= multiple * S[k * m + j];
        }
    }
    return 0;
}

/* y ← S⁻¹ y from its factors. */
static void solve_factored(long m, const double *S, const long *pivots, double *y)
{
    for (long k = 0; k < m; k++) {
        double swap = y[k];
        y[k] = y[pivots[k]];
        y[pivots[k]] = swap;
    }
    for (long k = 1; k < m; k++)
        for (long j = 0; j < k; j++) y[k] -= S[k * m + j] * y[j];
    for (long k = m - 1; k >= 0; k--) {
        for (long j = k + 1; j < m; j++) y[k] -= S[k * m + j] * y[j];
        y[k] /= S[k * m + k];
    }
}

/* y ← S⁻ᵀ y from the factors of S. */
static void solve_transposed(long m, const double *S, const long *pivots, double *y)
{
    for (long k = 0; k < m; k++) {
        y[k] /= S[k * m + k];
        for (long j = k + 1; j < m; j++) y[j] -= S[k * m + j] * y[k];
    }
    for (long k = m - 1; k > 0; k--)
        for (long j = 0; j < k; j++) y[j] -= S[k * m + j] * y[k];
    for (long k = m - 1; k >= 0; k--) {
        double swap = y[k];
        y[k] = y[pivots[k]];
        y[pivots[k]] = swap;
    }
}

static double decay(double s);

#define REAL double
#define WORD int64_t
#define LANES 8
#define NAME(x) x##_f64
#include "body.h"
#undef REAL
#undef WORD
#undef LANES
#undef NAME

/* e^{−s}, s ≥ 0. */
static double decay(double s) { return exp_of_minus_f64((V_f64)s)[0]; }

#define SINGLE
#define REAL float
#define WORD int32_t
#define LANES 16
#define NAME(x) x##_f32
#include "body.h"
