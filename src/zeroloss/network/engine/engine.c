/* The engine: finite ResNets trained on one core, one network after the other, in cache.

   z_{l+1} = z_l + scale Σ_m a_m σ(w_m·z_l + b_m),  E = mean ½ r²,  dθ/ds = −L M ∇_θ E,

   and clouds of particles at the nodes of an implicit rule in depth (zeroloss.limit.collocation).

   Parameters, features and adjoints are REAL: float64, or float32 with -DSINGLE, twice as fast, which
   leaves the clouds out; residuals and what is summed up over a run are float64. Compiled by clang; everything that could change a digit is spelt out
   (vectors of 64 bytes whatever the processor has, sums over their lanes in one order, fused
   multiply–adds where written and nowhere else), so that processors with fused multiply–add give
   the same bytes. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define EXPORT __attribute__((visibility("default")))

/* In the order of zeroloss.model.catalogue.ACTIVATIONS. */
enum { TANH, SIGMOID, GELU, RELU, RELU2, REGULARISED_RELU, IDENTITY };

enum { DONE, NO_MEMORY, NOT_FINITE, TOO_MANY, NO_DEPTH };

#ifdef SINGLE
typedef float REAL;
typedef int32_t INTEGER;
#define LANES 16
#else
typedef double REAL;
typedef int64_t INTEGER;
#define LANES 8
#endif
#define MOST_STAGES 8
#define KEPT_FROM 6    /* dimensions from which on factors of the depth equation are kept */
/* the controller of zeroloss.integrate.steps */
#define SAFETY 0.9
#define SHRINKAGE 0.2
#define GROWTH 5.0
#define LEAST_ERROR 1e-10
#define SHORTEST 1e-12

/* ---- memory and linear algebra -------------------------------------------------------------- */

/* Blocks that a thread keeps from call to call: pages that are new to a process cost as much as the
   arithmetic on them. Large ones go back, where they are a small part. */
enum { KEPT_BLOCKS = 16, KEPT_BYTES = 1 << 23, HEADER = 64 };
static __thread struct {
    size_t *block[KEPT_BLOCKS]; /* the first word is the size */
    int oldest;
} kept;

static void *aligned(long bytes)
{
    size_t size = (size_t)(bytes + 127) / 64 * 64; /* a line of cache more keeps loads inside */
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

typedef REAL V __attribute__((ext_vector_type(LANES)));
typedef INTEGER VI __attribute__((ext_vector_type(LANES)));
#define FMA(a, b, c) __builtin_elementwise_fma((V)(a), (V)(b), (V)(c))

/* ---- elementwise functions ---------------------------------------------------------------- */

#ifdef SINGLE
#define MAGIC 0x1.8p23
#define MANTISSA 23
#define ONE_BITS 0x3f800000
#define LN2_HIGH 0x1.62e4p-1
#define LN2_LOW 0x1.7f7d1cf79abcap-20
#define TANH_SATURATES 9.5
#define EXP_UNDERFLOWS 87.0
#else
#define MAGIC 0x1.8p52
#define MANTISSA 52
#define ONE_BITS 0x3ff0000000000000LL
#define LN2_HIGH 0x1.62e42fefa3800p-1
#define LN2_LOW 0x1.ef35793c76730p-45
#define TANH_SATURATES 20.0
#define EXP_UNDERFLOWS 708.0
#endif
#define SIGN_BIT ((INTEGER)1 << (8 * sizeof(INTEGER) - 1))
#define LOG2_E 1.4426950408889634

INLINE VI bits(V x) { return __builtin_bit_cast(VI, x); }
INLINE V real(VI x) { return __builtin_bit_cast(V, x); }

/* y = n ln 2 + r with |r| ≤ ln 2 / 2; returns expm1(r) and 2^n. Polynomial: r + r² q(r), q of
   degree 9 by Chebyshev interpolation, error below 4e-17. */
INLINE V expm1_reduced(V y, V *power)
{
    V shifted = FMA(y, LOG2_E, MAGIC);
    V n = shifted - MAGIC;
    V r = FMA(n, -LN2_HIGH, y);
    r = FMA(n, -LN2_LOW, r);
    *power = real((bits(shifted) << MANTISSA) + (VI)ONE_BITS);
    V r2 = r * r;
    V r4 = r2 * r2;
    V q01 = FMA(r, 0x1.5555555555556p-3, 0x1.0000000000001p-1);
    V q23 = FMA(r, 0x1.11111111109b5p-7, 0x1.5555555553d68p-5);
    V q45 = FMA(r, 0x1.a01a01a7c2efep-13, 0x1.6c16c17889ef1p-10);
    V low = FMA(q23, r2, q01);
#ifdef SINGLE /* what is left out is below 4e-9 */
    V high = FMA(q45, r4, low);
#else
    V q67 = FMA(r, 0x1.71de0db2f6b19p-19, 0x1.a019b9149a41cp-16);
    V q89 = FMA(r, 0x1.af389ecfc4b9cp-26, 0x1.28917c89a43a7p-22);
    V high = FMA(FMA(q89, r4, FMA(q67, r2, q45)), r4, low);
#endif
    return FMA(high, r2, r);
}

/* tanh |x| = −t/(t + 2) with t = expm1(−2 |x|): below 3 ulp, odd, NaN stays NaN. */
INLINE V tanh_of(V x)
{
    VI sign = bits(x) & (VI)SIGN_BIT;
    V size = real(bits(x) ^ sign);
    size = size > (V)TANH_SATURATES ? (V)TANH_SATURATES : size;
    V power;
    V p = expm1_reduced((V)-2 * size, &power);
    V t = FMA(power, p, power - 1);
    return real((bits(t / (t + 2)) & ~(VI)SIGN_BIT) | sign);
}

/* exp(−y) for y ≥ 0. */
INLINE V exp_of_minus(V y)
{
    V power;
    y = y > (V)EXP_UNDERFLOWS ? (V)EXP_UNDERFLOWS : y;
    V p = expm1_reduced(-y, &power);
    return FMA(power, p, power);
}

/* e^{−s}, s ≥ 0. */
static double decay(double s) { return exp_of_minus((V)s)[0]; }

/* Φ(u) = ½ erfc(−u/√2), and φ(u): erfc(x) = exp(−x²) e(t), t = 1/(1 + 0.35 x), with e a polynomial
   of degree 22 by Chebyshev interpolation, relative error below 4e-16. */
INLINE V normal(V u, V *density)
{
    static const double e[23] = {
        0x1.c5293ef4b2c56p-3, 0x1.68ecb2d1e63f2p-2, 0x1.ebdc119bb8c74p-3,
        0x1.031b0c24f4995p-3, 0x1.8e4ce9db0fac2p-5, 0x1.7813f83bf2d97p-7,
        0x1.5b18c9c540519p-12, -0x1.8cfc5cb5cb5e0p-11, -0x1.4173f81f977fep-13,
        0x1.b045ea5cade8cp-15, 0x1.3b787b20f2796p-16, -0x1.514e2cb1dae6fp-18,
        -0x1.1879cd9bc4635p-19, 0x1.7b44c10c32deap-21, 0x1.c18fb5160c78ap-23,
        -0x1.f59c925b56131p-24, -0x1.c16ddb4807ca9p-27, 0x1.41749ee5491e6p-26,
        -0x1.6986b922a901bp-30, -0x1.4eca4485a61d0p-29, 0x1.413c0e6c41cbap-31,
        0x1.9870a7bd18dbbp-33, -0x1.407f0206720fap-34};
    V size = __builtin_elementwise_abs(u);
    V x = size * 0.70710678118654752;
    V t = 1 / FMA(x, 0.35, 1);
    V s = FMA(t, 0x1.1a98ef606a63cp+1, -0x1.3531dec0d4c78p+0);
    V s2 = s * s;
    V even = (V)e[22], odd = (V)e[21];
    for (int i = 20; i >= 0; i -= 2) even = FMA(even, s2, e[i]);
    for (int i = 19; i >= 1; i -= 2) odd = FMA(odd, s2, e[i]);
    V gauss = exp_of_minus(x * x);
    V tail = (V)0.5 * gauss * FMA(odd, s, even);
    *density = gauss * 0.39894228040143268;
    return u > 0 ? 1 - tail : tail;
}

/* σ(u); σ'(u) to *slope, or σ' as a function of σ where it is one (then *slope is not set). */
INLINE V activate(int act, V u, V *slope)
{
    switch (act) {
    case TANH: return tanh_of(u);
    case SIGMOID: return FMA(tanh_of(u * 0.5), 0.5, 0.5);
    case GELU: {
        V density, probability = normal(u, &density);
        *slope = FMA(u, density, probability);
        return u * probability;
    }
    case RELU2: {
        V positive = u < 0 ? (V)0 : u;
        *slope = 2 * positive;
        return positive * positive;
    }
    case RELU: {
        *slope = u > 0 ? (V)1 : (V)0;
        return u > 0 ? u : (V)0;
    }
    case REGULARISED_RELU: { /* 0, (u + ½)²/2, u */
        V shifted = u + 0.5;
        shifted = shifted < 0 ? (V)0 : shifted;
        *slope = shifted > 1 ? (V)1 : shifted;
        return u > (V)0.5 ? u : shifted * shifted * 0.5;
    }
    default: *slope = (V)1; return u;
    }
}

INLINE int slope_is_of_value(int act) { return act == TANH || act == SIGMOID; }

INLINE V slope_of_value(int act, V h)
{
    return act == TANH ? FMA(-h, h, 1) : h - h * h;
}

/* Sum over the lanes, always in this order. */
INLINE double sum(V x)
{
    __auto_type half = x.lo + x.hi;
    __auto_type quarter = half.lo + half.hi;
#ifdef SINGLE
    __auto_type eighth = quarter.lo + quarter.hi;
    return eighth.x + eighth.y;
#else
    return quarter.x + quarter.y;
#endif
}

/* ---- one layer -----------------------------------------------------------------------------
   Samples n < N, units in nv vectors, parameters th in rows (a, w, b) of nv vectors each,
   features z and adjoint p (N, d), activations h and slopes s and q (nv, N). d and act are
   constants wherever these are inlined for the usual dimensions. */

#define TILE 4  /* samples that share registers */
#define SMALL 3 /* dimensions that are compiled as constants */

/* h = σ(z w + b), s = σ' for ``many`` vectors of units and ``count`` samples. */
INLINE void activations(int count, int many, long N, long nv, long d, int act, const REAL *z,
                        const V *th, V *h, V *s)
{
    V u[2 * TILE];
    for (int k = 0; k < many; k++)
        for (int i = 0; i < count; i++) u[k * count + i] = th[2 * d * nv + k];
    for (long j = 0; j < d; j++)
        for (int k = 0; k < many; k++)
            for (int i = 0; i < count; i++)
                u[k * count + i] = FMA(th[(d + j) * nv + k], z[i * d + j], u[k * count + i]);
    for (int k = 0; k < many; k++)
        for (int i = 0; i < count; i++) {
            V slope;
            h[k * N + i] = activate(act, u[k * count + i], &slope);
            if (!slope_is_of_value(act)) s[k * N + i] = slope;
        }
}

/* q = (p·a) σ'. */
INLINE void pulled(int count, int many, long N, long nv, long d, int act, const REAL *p,
                   const V *th, const V *h, const V *s, V *q)
{
    V t[2 * TILE];
    for (int i = 0; i < many * count; i++) t[i] = (V)0;
    for (long j = 0; j < d; j++)
        for (int k = 0; k < many; k++)
            for (int i = 0; i < count; i++)
                t[k * count + i] = FMA(th[j * nv + k], p[i * d + j], t[k * count + i]);
    for (int k = 0; k < many; k++)
        for (int i = 0; i < count; i++)
            q[k * N + i] = t[k * count + i] * (slope_is_of_value(act)
                                                   ? slope_of_value(act, h[k * N + i])
                                                   : s[k * N + i]);
}

/* out = from + scale Σ over units of h rowsᵀ for ``width`` of the d dimensions. */
INLINE void over_units(int count, int width, long N, long nv, long stride, const V *h,
                       const V *rows, long d, double scale, const REAL *from, REAL *out)
{
    V total[TILE][TILE];
    for (int i = 0; i < count; i++)
        for (int j = 0; j < width; j++) total[i][j] = (V)0;
    for (long v = 0; v < nv; v++)
        for (int i = 0; i < count; i++)
            for (int j = 0; j < width; j++)
                total[i][j] = FMA(h[v * N + i], rows[j * stride + v], total[i][j]);
    for (int i = 0; i < count; i++)
        for (int j = 0; j < width; j++)
            out[i * d + j] = from[i * d + j] + scale * sum(total[i][j]);
}

INLINE void move(int count, long N, long nv, long stride, long d, const V *h, const V *rows,
                 double scale, const REAL *from, REAL *out)
{
    for (long j = 0; j < d; j += TILE) {
        const V *r = rows + j * stride;
        switch (d - j) {
        case 1: over_units(count, 1, N, nv, stride, h, r, d, scale, from + j, out + j); break;
        case 2: over_units(count, 2, N, nv, stride, h, r, d, scale, from + j, out + j); break;
        case 3: over_units(count, 3, N, nv, stride, h, r, d, scale, from + j, out + j); break;
        default: over_units(count, TILE, N, nv, stride, h, r, d, scale, from + j, out + j);
        }
    }
}

/* z_{l+1} of ``count`` samples. */
INLINE void forward_tile(int count, long N, long nv, long d, int act, double scale, const V *th,
                         const REAL *z, REAL *next, V *h, V *s)
{
    long v = 0;
    if (d > SMALL)
        for (; v + 2 <= nv; v += 2)
            activations(count, 2, N, nv, d, act, z, th + v, h + v * N, s + v * N);
    for (; v < nv; v++)
        activations(count, 1, N, nv, d, act, z, th + v, h + v * N, s + v * N);
    if (next) move(count, N, nv, nv, d, h, th, scale, z, next);
}

INLINE void forward_layer(long N, long nv, long d, int act, double scale, const V *th,
                          const REAL *z, REAL *next, V *h, V *s)
{
    long n = 0;
    for (; n + TILE <= N; n += TILE)
        forward_tile(TILE, N, nv, d, act, scale, th, z + n * d, next ? next + n * d : NULL, h + n,
                     s + n);
    for (; n < N; n++)
        forward_tile(1, N, nv, d, act, scale, th, z + n * d, next ? next + n * d : NULL, h + n,
                     s + n);
}

/* q and p_l of ``count`` samples. */
INLINE void backward_tile(int count, long N, long nv, long d, int act, double scale, const V *th,
                          const REAL *p, REAL *before, const V *h, const V *s, V *q)
{
    long v = 0;
    if (d > SMALL)
        for (; v + 2 <= nv; v += 2)
            pulled(count, 2, N, nv, d, act, p, th + v, h + v * N, s + v * N, q + v * N);
    for (; v < nv; v++)
        pulled(count, 1, N, nv, d, act, p, th + v, h + v * N, s + v * N, q + v * N);
    if (before) move(count, N, nv, nv, d, q, th + d * nv, scale, p, before);
}

/* Rows of ``width`` dimensions of ``many`` vectors: Σ over samples of xᵀ h. */
INLINE void over_samples(int width, int many, long N, long nv, long d, const REAL *x, const V *h,
                         V *rows)
{
    V total[4 * TILE];
    for (int j = 0; j < width * many; j++) total[j] = (V)0;
    for (long n = 0; n < N; n++)
        for (int j = 0; j < width; j++)
            for (int k = 0; k < many; k++)
                total[j * many + k] = FMA(h[k * N + n], x[n * d + j], total[j * many + k]);
    for (int j = 0; j < width; j++)
        for (int k = 0; k < many; k++) rows[j * nv + k] = total[j * many + k];
}

INLINE void gather(int many, long N, long nv, long d, const REAL *x, const V *h, V *rows)
{
    long j = 0;
    for (; j + 8 <= d; j += 8)
        over_samples(8, many, N, nv, d, x + j, h, rows + j * nv);
    for (; j + 2 <= d; j += 2)
        over_samples(2, many, N, nv, d, x + j, h, rows + j * nv);
    for (; j < d; j++)
        over_samples(1, many, N, nv, d, x + j, h, rows + j * nv);
}

/* The slope of ``many`` vectors of units: rows a (p against h), w and b (z and 1 against q). */
INLINE void rows(int many, long N, long nv, long d, const REAL *p, const REAL *z, const V *h,
                 const V *q, V *out)
{
    V a[2 * SMALL], w[2 * SMALL], b[2];
    for (int i = 0; i < 2 * SMALL; i++) a[i] = w[i] = (V)0;
    for (int k = 0; k < many; k++) b[k] = (V)0;
    if (d > SMALL) {
        gather(many, N, nv, d, p, h, out);
        gather(many, N, nv, d, z, q, out + d * nv);
        for (long n = 0; n < N; n++)
            for (int k = 0; k < many; k++) b[k] += q[k * N + n];
    } else { /* all that is summed up stays in registers */
        for (long n = 0; n < N; n++)
            for (int k = 0; k < many; k++) {
                V value = h[k * N + n], pull = q[k * N + n];
                for (long j = 0; j < d; j++) {
                    a[k * d + j] = FMA(value, p[n * d + j], a[k * d + j]);
                    w[k * d + j] = FMA(pull, z[n * d + j], w[k * d + j]);
                }
                b[k] += pull;
            }
        for (int k = 0; k < many; k++)
            for (long j = 0; j < d; j++) {
                out[j * nv + k] = a[k * d + j];
                out[(d + j) * nv + k] = w[k * d + j];
            }
    }
    for (int k = 0; k < many; k++) out[2 * d * nv + k] = b[k];
}

/* From p_{l+1} the slope of the layer's parameters, and p_l to ``before`` if it is asked for. */
INLINE void backward_layer(long N, long nv, long d, int act, double scale, const V *th,
                           const REAL *z, const REAL *p, REAL *before, const V *h, const V *s,
                           V *q, V *out)
{
    long n = 0, v = 0;
    for (; n + TILE <= N; n += TILE)
        backward_tile(TILE, N, nv, d, act, scale, th, p + n * d, before ? before + n * d : NULL,
                      h + n, s + n, q + n);
    for (; n < N; n++)
        backward_tile(1, N, nv, d, act, scale, th, p + n * d, before ? before + n * d : NULL, h + n,
                      s + n, q + n);
    for (; v + 2 <= nv; v += 2) rows(2, N, nv, d, p, z, h + v * N, q + v * N, out + v);
    for (; v < nv; v++) rows(1, N, nv, d, p, z, h + v * N, q + v * N, out + v);
}

/* The dimensions and activations met most often are compiled with both as constants. */
#define BY_DIMENSION(call, act)                                                                   \
    switch (d) {                                                                                   \
    case 1: call(1, act); break;                                                                   \
    case 2: call(2, act); break;                                                                   \
    case 3: call(3, act); break;                                                                   \
    default: call(d, act);                                                                         \
    }
#define BY_ACTIVATION(call)                                                                        \
    switch (act) {                                                                                 \
    case TANH: BY_DIMENSION(call, TANH); break;                                                    \
    case GELU: BY_DIMENSION(call, GELU); break;                                                    \
    default: call(d, act);                                                                         \
    }

static void forward(long N, long nv, long d, int act, double scale, const V *th, const REAL *z,
                    REAL *next, V *h, V *s)
{
#define CALL(d, act) forward_layer(N, nv, d, act, scale, th, z, next, h, s)
    BY_ACTIVATION(CALL)
#undef CALL
}

static void backward(long N, long nv, long d, int act, double scale, const V *th, const REAL *z,
                     const REAL *p, REAL *before, const V *h, const V *s, V *q, V *out)
{
#define CALL(d, act) backward_layer(N, nv, d, act, scale, th, z, p, before, h, s, q, out)
    BY_ACTIVATION(CALL)
#undef CALL
}

/* ---- one network --------------------------------------------------------------------------- */

/* Butcher tableau: a (stages, stages), b, error = b − b̂, c (stages,). */
typedef struct {
    long stages, order;
    const double *a, *b, *error, *c;
} Tableau;

/* An implicit rule in depth: matrix A and its adjoint (nodes, nodes), weights b. */
typedef struct {
    const double *matrix, *weights, *adjoint;
    double tolerance;
} Rule;

/* Shape and problem: inputs (N, d), targets (N,), readout (d,); rows of M units are held in nv
   vectors, the units that fill the last one up are zero and stay zero. With a rule in depth it is
   a cloud of M particles of these masses at each of L nodes instead of a network. */
typedef struct {
    long L, M, N, d;
    long act, recompute, regularised;
    double scale;
    const double *inputs, *targets, *readout, *masses;
    const Rule *rule;
} Shape;

typedef struct {
    long nv, layer, numbers; /* vectors of a row, of a layer, of the network */
    REAL *z, *p;
    double *r;
    V *h, *s, *q, *state;
    V *rows;         /* of a cloud: masses, masses times a, masses times a wᵀ */
    double *F, *J;   /* of a cloud: field and its derivative at the nodes */
    double *factors; /* of a cloud with d ≥ KEPT_FROM: L U of I − A J for each sample, pivots */
    long *pivots;
    int factored;    /* whether these are of an earlier solution */
    VI inside;       /* which lanes of the last vector of a row are units */
} Work;

/* Room for one network and ``states`` arrays like its parameters. */
static int prepare(const Shape *net, Work *work, long states)
{
    long nv = (net->M + LANES - 1) / LANES;
    long stored = net->recompute ? 1 : net->L;
    work->nv = nv;
    work->layer = (2 * net->d + 1) * nv;
    work->numbers = net->L * work->layer;
    for (int i = 0; i < LANES; i++) work->inside[i] = (nv - 1) * LANES + i < net->M ? -1 : 0;
    int cloud = net->rule != NULL, apart = cloud || !slope_is_of_value(net->act);
    long samples = net->L * net->N * net->d;
    if (cloud) stored = net->L;
    work->z = aligned((samples + net->N * net->d) * sizeof(REAL));
    work->p = aligned((cloud ? samples : 2 * net->N * net->d) * sizeof(REAL));
    work->r = aligned(net->N * sizeof(double));
    work->h = aligned(stored * net->N * nv * sizeof(V));
    work->s = apart ? aligned(stored * net->N * nv * sizeof(V)) : work->h;
    work->q = aligned(net->N * nv * sizeof(V));
    work->rows = aligned(cloud ? (1 + net->d + net->d * net->d) * nv * sizeof(V) : 0);
    work->F = aligned(cloud ? samples * sizeof(double) : 0);
    work->J = aligned(cloud ? samples * net->d * sizeof(double) : 0);
    work->state = aligned(states * work->numbers * sizeof(V));
    long system = cloud && net->d >= KEPT_FROM ? net->N * net->L * net->d : 0;
    work->factors = aligned(system * net->L * net->d * sizeof(double));
    work->pivots = aligned(system * sizeof(long));
    int all = work->z && work->p && work->r && work->h && work->s && work->q && work->rows &&
              work->F && work->J && work->state && work->factors && work->pivots;
    return all ? DONE : NO_MEMORY;
}

static void release(Work *work)
{
    if (work->s != work->h) give_back(work->s);
    give_back(work->z), give_back(work->p), give_back(work->r), give_back(work->h);
    give_back(work->q), give_back(work->rows), give_back(work->F), give_back(work->J);
    give_back(work->state), give_back(work->factors), give_back(work->pivots);
}

/* Writes −L M ∇_θ E times sign to out, residuals to work->r; returns Σ |out|². */
static double velocity(const Shape *net, Work *work, const V *theta, V *out, double sign)
{
    long L = net->L, N = net->N, d = net->d, nv = work->nv;
    double scale = net->scale;
    REAL *z = work->z, *p = work->p, *before = p + N * d;
    long stored = net->recompute ? 0 : N * nv;
    for (long i = 0; i < N * d; i++) z[i] = (REAL)net->inputs[i];
    for (long l = 0; l < L; l++)
        forward(N, nv, d, net->act, scale, theta + l * work->layer, z + l * N * d,
                z + (l + 1) * N * d, work->h + l * stored, work->s + l * stored);
    double factor = -sign * (double)(L * net->M) * net->scale / (double)N;
    for (long n = 0; n < N; n++) {
        double r = -net->targets[n];
        for (long j = 0; j < d; j++) r += net->readout[j] * z[(L * N + n) * d + j];
        work->r[n] = r;
        for (long j = 0; j < d; j++) p[n * d + j] = (REAL)(factor * r * net->readout[j]);
    }
    V squares = (V)0;
    for (long l = L - 1; l >= 0; l--) {
        V *slope = out + l * work->layer;
        V *h = work->h + l * stored, *s = work->s + l * stored;
        if (net->recompute && l < L - 1)
            forward(N, nv, d, net->act, scale, theta + l * work->layer, z + l * N * d, NULL, h, s);
        backward(N, nv, d, net->act, scale, theta + l * work->layer, z + l * N * d, p, before, h, s,
                 work->q, slope);
        REAL *swap = p;
        p = before;
        before = swap;
        for (long j = 0; j < d; j++) { /* the other rows are zero there: a = 0 */
            V *last = slope + j * nv + nv - 1;
            *last = real(bits(*last) & work->inside);
        }
        for (long i = 0; i < work->layer; i++) squares = FMA(slope[i], slope[i], squares);
    }
    return sum(squares);
}

/* (rows, M) with units innermost to vectors and back. */
static void pack(long rows, long M, long nv, const REAL *from, V *to)
{
    memset(to, 0, rows * nv * sizeof(V));
    for (long i = 0; i < rows; i++) memcpy(to + i * nv, from + i * M, M * sizeof(REAL));
}

static void unpack(long rows, long M, long nv, const V *from, REAL *to)
{
    for (long i = 0; i < rows; i++) memcpy(to + i * M, from + i * nv, M * sizeof(REAL));
}

/* ---- a cloud of particles at the nodes of an implicit rule in depth ------------------------- */

#ifndef SINGLE
/* F (N, d) and σ, σ' at node q for the features z (N, d) there. */
static void node_field(const Shape *net, Work *work, long q, const V *theta)
{
    long N = net->N, d = net->d, nv = work->nv;
    const V *th = theta + q * work->layer;
    const double *z = work->z + q * N * d;
    V *h = work->h + q * N * nv, *s = work->s + q * N * nv, *mass = work->rows, *wa = mass + nv;
    double *F = work->F + q * N * d;
    forward(N, nv, d, net->act, 1, th, z, NULL, h, s);
    if (slope_is_of_value(net->act))
        for (long i = 0; i < N * nv; i++) s[i] = slope_of_value(net->act, h[i]);
    for (long i = 0; i < d; i++)
        for (long v = 0; v < nv; v++) wa[i * nv + v] = mass[v] * th[i * nv + v];
    memset(F, 0, N * d * sizeof(double));
    long n = 0;
    for (; n + TILE <= N; n += TILE)
        move(TILE, N, nv, nv, d, h + n, wa, 1, F + n * d, F + n * d);
    for (; n < N; n++) move(1, N, nv, nv, d, h + n, wa, 1, F + n * d, F + n * d);
}

/* J (N, d, d) at node q from the σ' there. */
static void node_jacobian(const Shape *net, Work *work, long q, const V *theta)
{
    long N = net->N, d = net->d, nv = work->nv;
    const V *th = theta + q * work->layer, *s = work->s + q * N * nv;
    V *mass = work->rows, *wa = mass + nv, *outer = wa + d * nv;
    double *J = work->J + q * N * d * d;
    for (long i = 0; i < d; i++)
        for (long v = 0; v < nv; v++) wa[i * nv + v] = mass[v] * th[i * nv + v];
    for (long i = 0; i < d; i++)
        for (long j = 0; j < d; j++)
            for (long v = 0; v < nv; v++)
                outer[(i * d + j) * nv + v] = wa[i * nv + v] * th[(d + j) * nv + v];
    memset(J, 0, N * d * d * sizeof(double));
    long n = 0;
    for (; n + TILE <= N; n += TILE)
        move(TILE, N, nv, nv, d * d, s + n, outer, 1, J + n * d * d, J + n * d * d);
    for (; n < N; n++) move(1, N, nv, nv, d * d, s + n, outer, 1, J + n * d * d, J + n * d * d);
}

/* I − A ∘ J, or with the transpose of J, for sample n: (L d, L d). */
static void depth_system(const Shape *net, const Work *work, const double *matrix, int transposed,
                         long n, double *system)
{
    long L = net->L, d = net->d, m = L * d;
    for (long q = 0; q < L; q++)
        for (long i = 0; i < d; i++)
            for (long p = 0; p < L; p++)
                for (long j = 0; j < d; j++) {
                    const double *J = work->J + (p * net->N + n) * d * d;
                    double entry = transposed ? J[j * d + i] : J[i * d + j];
                    system[(q * d + i) * m + p * d + j] =
                        (q == p && i == j ? 1.0 : 0.0) - matrix[q * L + p] * entry;
                }
}

/* y_q − Σ_p A_qp J_p y_p = y_q for sample n, or with the transpose of J; (L, d) in place. */
static int solve_depth(const Shape *net, const Work *work, const double *matrix, int transposed,
                       long n, double *system, double *y)
{
    long m = net->L * net->d, pivots[m];
    depth_system(net, work, matrix, transposed, n, system);
    if (factor(m, system, pivots)) return NOT_FINITE;
    solve_factored(m, system, pivots, y);
    return DONE;
}

/* J at all nodes and the factors of I − A J of all samples. */
static int factor_depth(const Shape *net, Work *work, const V *theta)
{
    long m = net->L * net->d;
    for (long q = 0; q < net->L; q++) node_jacobian(net, work, q, theta);
    for (long n = 0; n < net->N; n++) {
        double *system = work->factors + n * m * m;
        depth_system(net, work, net->rule->matrix, 0, n, system);
        if (factor(m, system, work->pivots + n * m)) return NOT_FINITE;
    }
    work->factored = 1;
    return DONE;
}

/* The adjoint depth equation by the factors of the forward one. With B = diag(b), the adjoint
   matrix is C = B⁻¹ Aᵀ B, and (I − Aᵀ Jᵀ)⁻¹ = I + Aᵀ (I − A J)⁻ᵀ Jᵀ. */
static void adjoint_depth(const Shape *net, const Work *work, long n, double *u, double *y)
{
    long L = net->L, d = net->d, m = L * d;
    const Rule *rule = net->rule;
    for (long q = 0; q < L; q++) {
        const double *J = work->J + (q * net->N + n) * d * d;
        for (long i = 0; i < d; i++) y[q * d + i] *= rule->weights[q];
        for (long i = 0; i < d; i++) {
            u[q * d + i] = 0.0;
            for (long j = 0; j < d; j++) u[q * d + i] += J[j * d + i] * y[q * d + j];
        }
    }
    solve_transposed(m, work->factors + n * m * m, work->pivots + n * m, u);
    for (long q = 0; q < L; q++)
        for (long i = 0; i < d; i++) {
            for (long p = 0; p < L; p++) y[q * d + i] += rule->matrix[p * L + q] * u[p * d + i];
            y[q * d + i] /= rule->weights[q];
        }
}

/* The forward depth equation by Newton's method from the last solution in work->z; J at the
   solution is left in work->J. For d ≥ KEPT_FROM, where J costs d products to one of F, J and the
   factors of the last solution serve until they converge too slowly. */
static int forward_depth(const Shape *net, Work *work, const V *theta, double *system)
{
    long L = net->L, N = net->N, d = net->d;
    const Rule *rule = net->rule;
    double largest = 0.0, *y = system + L * d * L * d;
    for (long i = 0; i < N * d; i++) {
        double size = __builtin_fabs(net->inputs[i]);
        largest = size > largest ? size : largest;
    }
    int keep = d >= KEPT_FROM;
    for (int again = 0; again < 40; again++) {
        double worst = 0.0;
        for (long q = 0; q < L; q++) node_field(net, work, q, theta);
        for (long q = 0; !keep && q < L; q++) node_jacobian(net, work, q, theta);
        if (keep && (!work->factored || again % 10 == 9) &&
            factor_depth(net, work, theta) != DONE) return NOT_FINITE;
        for (long n = 0; n < N; n++) {
            double sample = 0.0;
            for (long q = 0; q < L; q++)
                for (long i = 0; i < d; i++) {
                    double defect = work->z[(q * N + n) * d + i] - net->inputs[n * d + i];
                    for (long p = 0; p < L; p++)
                        defect -= rule->matrix[q * L + p] * work->F[(p * N + n) * d + i];
                    y[q * d + i] = defect;
                    if (!(__builtin_fabs(defect) <= sample)) sample = __builtin_fabs(defect);
                }
            if (!__builtin_isfinite(sample)) return NOT_FINITE;
            worst = sample > worst ? sample : worst;
            if (sample < rule->tolerance * (1.0 + largest)) continue;
            long m = L * d;
            if (keep)
                solve_factored(m, work->factors + n * m * m, work->pivots + n * m, y);
            else if (solve_depth(net, work, rule->matrix, 0, n, system, y))
                return NOT_FINITE;
            for (long q = 0; q < L; q++)
                for (long i = 0; i < d; i++) work->z[(q * N + n) * d + i] -= y[q * d + i];
        }
        if (worst < rule->tolerance * (1.0 + largest))
            return keep ? factor_depth(net, work, theta) : DONE;
    }
    return NO_DEPTH;
}

/* Writes −∇_θ δE/δρ at the particles to out, residuals to work->r, ∫∫|∇_θ δE/δρ|² to *rate. */
static int cloud_velocity(const Shape *net, Work *work, const V *theta, V *out, double *rate)
{
    long L = net->L, N = net->N, d = net->d, nv = work->nv;
    const Rule *rule = net->rule;
    double *system = aligned((L * d + 1) * L * d * sizeof(double)), *y = system + L * d * L * d;
    if (!system) return NO_MEMORY;
    int status = forward_depth(net, work, theta, system);
    for (long n = 0; status == DONE && n < N; n++) {
        double r = -net->targets[n];
        for (long i = 0; i < d; i++) {
            double end = net->inputs[n * d + i];
            for (long q = 0; q < L; q++)
                end += rule->weights[q] * work->F[(q * N + n) * d + i];
            r += net->readout[i] * end;
        }
        work->r[n] = r;
        for (long i = 0; i < L * d; i++) y[i] = r * net->readout[i % d];
        if (d >= KEPT_FROM)
            adjoint_depth(net, work, n, system, y);
        else if (solve_depth(net, work, rule->adjoint, 1, n, system, y))
            status = NOT_FINITE;
        for (long q = 0; q < L; q++)
            for (long i = 0; i < d; i++)
                work->p[(q * N + n) * d + i] = -y[q * d + i] / (double)N;
    }
    give_back(system);
    *rate = 0.0;
    for (long q = 0; status == DONE && q < L; q++) {
        V *slope = out + q * work->layer, squares = (V)0;
        backward(N, nv, d, net->act, 1, theta + q * work->layer, work->z + q * N * d,
                 work->p + q * N * d, NULL, work->h + q * N * nv, work->s + q * N * nv, work->q,
                 slope);
        for (long j = 0; j < d; j++) {
            V *last = slope + j * nv + nv - 1;
            *last = real(bits(*last) & work->inside);
        }
        for (long j = 0; j < 2 * d + 1; j++)
            for (long v = 0; v < nv; v++)
                squares = FMA(work->rows[v] * slope[j * nv + v], slope[j * nv + v], squares);
        *rate += rule->weights[q] * sum(squares);
    }
    return status;
}

/* What does not change along a flow: the masses of a cloud, and z = x to start Newton from. */
static void begin(const Shape *net, Work *work)
{
    if (!net->rule) return;
    work->factored = 0;
    pack(1, net->M, work->nv, net->masses, work->rows);
    for (long q = 0; q < net->L; q++)
        memcpy(work->z + q * net->N * net->d, net->inputs, net->N * net->d * sizeof(double));
}

#else
static int cloud_velocity(const Shape *net, Work *work, const V *theta, V *out, double *rate)
{
    return NO_DEPTH;
}

static void begin(const Shape *net, Work *work) {}
#endif

/* Whether an array of (rows, M) can be read as vectors where it is. */
INLINE int is_packed(const Shape *net, const Work *work, const REAL *from)
{
    return net->M == work->nv * LANES && (uintptr_t)from % sizeof(V) == 0;
}

/* theta, out (R, L, k, M), residuals (R, N); sign −1 for the gradient itself. Returns 0, or
   NO_MEMORY. */
EXPORT int engine_velocity(const Shape *net, long R, const REAL *theta, double sign, REAL *out,
                           double *residuals)
{
    Work work;
    int status = prepare(net, &work, 2);
    long rows = net->L * (2 * net->d + 1), each = rows * net->M;
    for (long i = 0; status == DONE && i < R; i++) {
        const REAL *from = theta + i * each;
        int packed = is_packed(net, &work, from) && is_packed(net, &work, out);
        V *y = packed ? (V *)from : work.state, *slope = packed ? (V *)(out + i * each)
                                                                : work.state + work.numbers;
        if (!packed) pack(rows, net->M, work.nv, from, y);
        velocity(net, &work, y, slope, sign);
        if (!packed) unpack(rows, net->M, work.nv, slope, out + i * each);
        memcpy(residuals + i * net->N, work.r, net->N * sizeof(double));
    }
    release(&work);
    return status;
}

/* ---- costates of a cloud --------------------------------------------------------------------

   The derivative of a cloud's gradient along costates v, one per output, as zeroloss.limit.fluctuation
   takes it: rows (a, w, b) of nv vectors for each output and node, σ, σ', (a·P) σ' and (a·P) σ'' in
   vectors of units with samples innermost, as activations are. A block of units serves all outputs
   while it is in cache; what is cheap is computed again on the second way. */

typedef struct {
    long outputs, nodes, N, d, nv;
    const REAL *z, *p;                     /* (nodes, N, d) */
    const V *theta, *masses;               /* (nodes, 2 d + 1, nv), (nv,) */
    const V *value, *slope, *push, *bend;  /* (nodes, nv, N) */
} Costates;

enum { PAIR = 2, BLOCK = 2048 }; /* vectors at once; vectors × samples of a block */

/* u += w·z and t += a·p for the rows (a, w, b) of ``many`` vectors. */
INLINE void dot_rows(int count, int many, long nv, long d, const REAL *z, const REAL *p, const V *rows, V *u, V *t)
{
    for (long j = 0; j < d; j++)
        for (int k = 0; k < many; k++)
            for (int i = 0; i < count; i++) {
                u[k * count + i] = FMA(rows[(d + j) * nv + k], z[i * d + j], u[k * count + i]);
                t[k * count + i] = FMA(rows[j * nv + k], p[i * d + j], t[k * count + i]);
            }
}

/* u̇ = v_w·z + v_b, σ' u̇ to bent, ṡ = σ' P·v_a + (a·P) σ'' u̇ to tilt; ``many`` vectors. */
INLINE void turned(int count, int many, long N, long nv, long d, const REAL *z, const REAL *p,
                   const V *v, const V *slope, const V *bend, V *bent, V *tilt)
{
    V u[PAIR * TILE], t[PAIR * TILE];
    for (int k = 0; k < many; k++)
        for (int i = 0; i < count; i++) u[k * count + i] = v[2 * d * nv + k], t[k * count + i] = (V)0;
    dot_rows(count, many, nv, d, z, p, v, u, t);
    for (int k = 0; k < many; k++)
        for (int i = 0; i < count; i++) {
            bent[k * N + i] = slope[k * N + i] * u[k * count + i];
            tilt[k * N + i] = FMA(slope[k * N + i], t[k * count + i], bend[k * N + i] * u[k * count + i]);
        }
}

/* What Ż and Ṗ add: σ' w·Ż to bent, (a·P) σ'' w·Ż + σ' a·Ṗ to tilt. */
INLINE void dragged(int count, int many, long N, long nv, long d, const REAL *zdot, const REAL *pdot,
                    const V *th, const V *slope, const V *bend, V *bent, V *tilt)
{
    V u[PAIR * TILE], t[PAIR * TILE];
    for (int i = 0; i < many * count; i++) u[i] = t[i] = (V)0;
    dot_rows(count, many, nv, d, zdot, pdot, th, u, t);
    for (int k = 0; k < many; k++)
        for (int i = 0; i < count; i++) {
            bent[k * N + i] = FMA(slope[k * N + i], u[k * count + i], bent[k * N + i]);
            V sum = FMA(bend[k * N + i], u[k * count + i], tilt[k * N + i]);
            tilt[k * N + i] = FMA(slope[k * N + i], t[k * count + i], sum);
        }
}

/* ``many`` vectors from ``from`` on, all samples. */
INLINE void turn_all(const Costates *c, int many, const REAL *z, const REAL *p, const V *v,
                     const V *slope, const V *bend, V *bent, V *tilt)
{
    long N = c->N, d = c->d, n = 0;
    for (; n + TILE <= N; n += TILE)
        turned(TILE, many, N, c->nv, d, z + n * d, p + n * d, v, slope + n, bend + n, bent + n, tilt + n);
    for (; n < N; n++)
        turned(1, many, N, c->nv, d, z + n * d, p + n * d, v, slope + n, bend + n, bent + n, tilt + n);
}

INLINE void drag_all(const Costates *c, int many, const REAL *zdot, const REAL *pdot, const V *th,
                     const V *slope, const V *bend, V *bent, V *tilt)
{
    long N = c->N, d = c->d, n = 0;
    for (; n + TILE <= N; n += TILE)
        dragged(TILE, many, N, c->nv, d, zdot + n * d, pdot + n * d, th, slope + n, bend + n, bent + n, tilt + n);
    for (; n < N; n++)
        dragged(1, many, N, c->nv, d, zdot + n * d, pdot + n * d, th, slope + n, bend + n, bent + n, tilt + n);
}

/* out (N, d) += Σ over ``length`` vectors of units of h rowsᵀ. */
static void add_over(long length, long N, long stride, long d, const V *h, const V *rows, REAL *out)
{
    long n = 0;
    for (; n + TILE <= N; n += TILE)
        move(TILE, N, length, stride, d, h + n, rows, 1, out + n * d, out + n * d);
    for (; n < N; n++) move(1, N, length, stride, d, h + n, rows, 1, out + n * d, out + n * d);
}

/* Ḟ = Σ ω (σ' u̇ a + σ v_a) and J̇ᵀP = Σ ω (ṡ w + (a·P) σ' v_w), (outputs, nodes, N, d), with Z and P
   held; costates (outputs, nodes, 2 d + 1, nv). Returns DONE or NO_MEMORY. */
EXPORT int engine_held(const Costates *c, const V *costates, REAL *force, REAL *turn)
{
    long N = c->N, d = c->d, nv = c->nv, layer = (2 * d + 1) * nv;
    long most = BLOCK / N < PAIR ? PAIR : BLOCK / N;
    V *bent = aligned(most * N * sizeof(V)), *tilt = aligned(most * N * sizeof(V));
    V *own = aligned(2 * d * most * sizeof(V)), *weighted = aligned(2 * d * most * sizeof(V));
    int status = bent && tilt && own && weighted ? DONE : NO_MEMORY;
    if (status == DONE) {
        memset(force, 0, c->outputs * c->nodes * N * d * sizeof(REAL));
        memset(turn, 0, c->outputs * c->nodes * N * d * sizeof(REAL));
    }
    for (long q = 0; status == DONE && q < c->nodes; q++)
        for (long from = 0; from < nv; from += most) {
            long length = nv - from < most ? nv - from : most;
            const V *th = c->theta + q * layer + from;
            long at = (q * nv + from) * N;
            for (long j = 0; j < 2 * d; j++)
                for (long k = 0; k < length; k++)
                    weighted[j * most + k] = c->masses[from + k] * th[j * nv + k];
            for (long o = 0; o < c->outputs; o++) {
                const V *v = costates + (o * c->nodes + q) * layer + from;
                long place = (o * c->nodes + q) * N * d, k = 0;
                const REAL *z = c->z + q * N * d, *p = c->p + q * N * d;
                for (; k + PAIR <= length; k += PAIR)
                    turn_all(c, PAIR, z, p, v + k, c->slope + at + k * N, c->bend + at + k * N,
                             bent + k * N, tilt + k * N);
                for (; k < length; k++)
                    turn_all(c, 1, z, p, v + k, c->slope + at + k * N, c->bend + at + k * N,
                             bent + k * N, tilt + k * N);
                for (long j = 0; j < 2 * d; j++)
                    for (k = 0; k < length; k++)
                        own[j * most + k] = c->masses[from + k] * v[j * nv + k];
                add_over(length, N, most, d, bent, weighted, force + place);
                add_over(length, N, most, d, c->value + at, own, force + place);
                add_over(length, N, most, d, tilt, weighted + d * most, turn + place);
                add_over(length, N, most, d, c->push + at, own + d * most, turn + place);
            }
        }
    give_back(bent), give_back(tilt), give_back(own), give_back(weighted);
    return status;
}

/* ``many`` vectors of one output at one node: v becomes the derivative, change Σ_n Ṗᵀf + Pᵀ∂_z f Ż. */
INLINE void move_costates(const Costates *c, int many, long q, long at, const REAL *zdot,
                          const REAL *pdot, V *v, V *change, V *scratch)
{
    long N = c->N, d = c->d, nv = c->nv;
    const REAL *z = c->z + q * N * d, *p = c->p + q * N * d;
    const V *th = c->theta + q * (2 * d + 1) * nv + at;
    long here = (q * nv + at) * N;
    const V *slope = c->slope + here, *bend = c->bend + here;
    V *bent = scratch, *tilt = bent + many * N, *through = tilt + many * N;
    turn_all(c, many, z, p, v, slope, bend, bent, tilt);
    drag_all(c, many, zdot, pdot, th, slope, bend, bent, tilt);
    gather(many, N, many, d, pdot, c->value + here, through);
    gather(many, N, many, d, zdot, c->push + here, through + many * d);
    gather(many, N, nv, d, p, bent, v);
    gather(many, N, nv, d, z, tilt, v + d * nv);
    for (int k = 0; k < many; k++) {
        V last = (V)0, sum = (V)0;
        for (long n = 0; n < N; n++) last += tilt[k * N + n];
        v[2 * d * nv + k] = last;
        for (long j = 0; j < 2 * d; j++) {
            sum = FMA(through[j * many + k], th[j * nv + k], sum);
            v[j * nv + k] += through[j * many + k];
        }
        change[k] = sum;
    }
}

/* Costates become Σ_n (P σ' u̇ + Ṗ σ, ṡ z + (a·P) σ' Ż, ṡ), now with Ż and Ṗ (outputs, nodes, N, d), and
   change (outputs, nodes, nv) is Σ_n Ṗᵀf + Pᵀ∂_z f Ż. Returns DONE or NO_MEMORY. */
EXPORT int engine_moved(const Costates *c, const REAL *zdot, const REAL *pdot, V *costates, V *change)
{
    long N = c->N, d = c->d, nv = c->nv, layer = (2 * d + 1) * nv, most = BLOCK / N < PAIR ? PAIR : BLOCK / N;
    V *scratch = aligned((2 * N + 2 * d) * PAIR * sizeof(V));
    for (long q = 0; scratch && q < c->nodes; q++)
        for (long from = 0; from < nv; from += most)
            for (long o = 0; o < c->outputs; o++) {
                long end = nv - from < most ? nv : from + most, own = o * c->nodes + q, k = from;
                const REAL *zd = zdot + own * N * d, *pd = pdot + own * N * d;
                V *v = costates + own * layer, *to = change + own * nv;
                for (; k + PAIR <= end; k += PAIR)
                    move_costates(c, PAIR, q, k, zd, pd, v + k, to + k, scratch);
                for (; k < end; k++) move_costates(c, 1, q, k, zd, pd, v + k, to + k, scratch);
            }
    give_back(scratch);
    return scratch ? DONE : NO_MEMORY;
}

/* ---- training ------------------------------------------------------------------------------ */

/* The slope of E, or of E_s = E + e^{−s} mean |θ|² with the decay e^{−s} > 0; its dissipation to
   *rate and mean |θ|² to *size. */
static int evaluate(const Shape *net, Work *work, const V *y, double decay, V *out, double *rate,
                    double *size)
{
    *size = 0.0;
    if (net->rule) return cloud_velocity(net, work, y, out, rate);
    double particles = (double)(net->L * net->M), squares = velocity(net, work, y, out, 1);
    if (net->regularised) {
        V sizes = (V)0, slopes = (V)0, factor = (V)(-2.0 * decay);
        for (long i = 0; i < work->numbers; i++) {
            out[i] = FMA(factor, y[i], out[i]);
            slopes = FMA(out[i], out[i], slopes);
            sizes = FMA(y[i], y[i], sizes);
        }
        squares = sum(slopes);
        *size = sum(sizes) / particles;
    }
    *rate = squares / particles + decay * *size; /* −dE_s/ds; the size counts only if regularised */
    return DONE;
}

/* to = y + Σ_j weights_j K_j over the stages with a weight that is not zero. */
INLINE void combine_some(int count, long numbers, const V *y, const V **K, const V *weights, V *to)
{
    for (long i = 0; i < numbers; i++) {
        V total = y[i];
        for (int j = 0; j < count; j++) total = FMA(weights[j], K[j][i], total);
        to[i] = total;
    }
}

static void combine(int stages, const double *row, double h, long numbers, const V *y,
                    const V *slopes, V *to)
{
    const V *K[MOST_STAGES];
    V weights[MOST_STAGES];
    int count = 0;
    for (int j = 0; j < stages; j++)
        if (row[j] != 0.0) {
            K[count] = slopes + j * numbers;
            weights[count++] = (V)(h * row[j]);
        }
    switch (count) {
    case 1: combine_some(1, numbers, y, K, weights, to); break;
    case 2: combine_some(2, numbers, y, K, weights, to); break;
    case 3: combine_some(3, numbers, y, K, weights, to); break;
    case 4: combine_some(4, numbers, y, K, weights, to); break;
    case 5: combine_some(5, numbers, y, K, weights, to); break;
    default: combine_some(count, numbers, y, K, weights, to);
    }
}

/* Σ (h Σ_j error_j K_j / (atol + rtol max(|y|, |new|)))². */
static double scaled_error(const Tableau *pair, double h, double rtol, double atol, long numbers,
                           const V *y, const V *new, const V *slopes)
{
    const V *K[MOST_STAGES];
    V weights[MOST_STAGES], total = (V)0;
    int count = 0;
    for (int j = 0; j < pair->stages; j++)
        if (pair->error[j] != 0.0) {
            K[count] = slopes + j * numbers;
            weights[count++] = (V)(h * pair->error[j]);
        }
    for (long i = 0; i < numbers; i++) {
        V delta = weights[0] * K[0][i];
        for (int j = 1; j < count; j++) delta = FMA(weights[j], K[j][i], delta);
        V size = __builtin_elementwise_abs(y[i]), other = __builtin_elementwise_abs(new[i]);
        size = other > size ? other : size;
        delta /= FMA(size, rtol, atol);
        total = FMA(delta, delta, total);
    }
    return sum(total);
}

/* Where the numbers of one replicate go; output times are ``replicates`` rows apart. */
typedef struct {
    long replicates;
    double *residuals;
    REAL *final;
    double *integral, *size;
    int64_t *accepted, *rejected;
} Record;

static Record of_replicate(const Shape *net, Record all, long i)
{
    long each = net->L * (2 * net->d + 1) * net->M;
    Record one = {all.replicates, all.residuals + i * net->N, all.final + i * each,
                  all.integral + i, all.size + i, all.accepted + i, all.rejected + i};
    return one;
}

static void note(const Shape *net, const Work *work, const Record *to, long slot, double integral,
                 double size)
{
    memcpy(to->residuals + slot * to->replicates * net->N, work->r, net->N * sizeof(double));
    to->integral[slot * to->replicates] = integral;
    to->size[slot * to->replicates] = size;
}

static double first_step(const Tableau *pair, double rtol, double atol, long numbers, double count,
                         const V *y, const V *slope)
{
    V total = (V)0;
    for (long i = 0; i < numbers; i++) {
        V scaled = slope[i] / FMA(__builtin_elementwise_abs(y[i]), rtol, atol);
        total = FMA(scaled, scaled, total);
    }
    double size = __builtin_sqrt(sum(total) / count);
    double h = inverse_root(size < 1e-12 ? 1e-12 : size, pair->order);
    return 0.5 * (h > 0.5 ? 0.5 : h);
}

/* One replicate, its start in work->state, through the times by an embedded pair with first same
   as last; the controller is that of zeroloss.integrate.steps. Returns DONE, NOT_FINITE or
   TOO_MANY; *s is how far it came. */
static int flow(const Shape *net, Work *work, const Tableau *pair, long outputs,
                const double *times, double rtol, double atol, long max_steps, Record to, double *s)
{
    long n = work->numbers, last = pair->stages - 1, slot = 0;
    double count = (double)(net->L * (2 * net->d + 1) * net->M);
    double rate, size, after, size_after, integral = 0.0;
    V *y = work->state, *new = y + n, *K = y + 2 * n;
    *s = 0.0;
    begin(net, work);
    int status = evaluate(net, work, y, 1.0, K, &rate, &size);
    if (status) return status;
    double h = first_step(pair, rtol, atol, n, count, y, K);
    if (!__builtin_isfinite(h) || !__builtin_isfinite(rate)) return NOT_FINITE;
    if (times[0] == 0.0) note(net, work, &to, slot++, 0.0, size);
    for (long step = 0; slot < outputs; step++) {
        if (step == max_steps) return TOO_MANY;
        double left = times[slot] - *s, gained = rate * pair->b[0];
        double used = h >= left ? left : 2.0 * h > left ? 0.5 * left : h;
        for (long i = 1; i <= last; i++) {
            combine(i, pair->a + i * pair->stages, used, n, y, K, new);
            status = evaluate(net, work, new, decay(*s + pair->c[i] * used), K + i * n, &after,
                              &size_after);
            if (status) break;
            gained += after * pair->b[i];
        }
        double squares = status ? __builtin_inf()
                                : scaled_error(pair, used, rtol, atol, n, y, new, K);
        double error = __builtin_sqrt(squares / count);
        if (!__builtin_isfinite(error)) { /* too far: a shorter step may stay finite */
            if (used < SHORTEST * (1.0 + *s)) return status ? status : NOT_FINITE;
            begin(net, work);
            h = SHRINKAGE * used;
            ++*to.rejected;
            continue;
        }
        error = error < LEAST_ERROR ? LEAST_ERROR : error;
        double factor = SAFETY * inverse_root(error, pair->order);
        factor = factor < SHRINKAGE ? SHRINKAGE : factor > GROWTH ? GROWTH : factor;
        if (error > 1.0) {
            h = used * factor;
            ++*to.rejected;
            continue;
        }
        h = used < h && h > used * factor ? h : used * factor;
        ++*to.accepted;
        integral += gained * used;
        rate = after;
        size = size_after;
        V *swap = y;
        y = new;
        new = swap;
        memcpy(K, K + last * n, n * sizeof(V));
        if (used < left) {
            *s += used;
            continue;
        }
        *s = times[slot];
        note(net, work, &to, slot++, integral, size);
    }
    unpack(net->L * (2 * net->d + 1), net->M, work->nv, y, to.final);
    return DONE;
}

/* Gradient flow of the replicates first, …, first + count − 1 of theta (R, L, k, M) through the
   output times. Returns DONE, or what went wrong with *failed the replicate and *s its time. */
EXPORT int engine_flow(const Shape *net, const Tableau *pair, long first, long count,
                       const REAL *theta, long outputs, const double *times, double rtol,
                       double atol, long max_steps, Record to, long *failed, double *s)
{
    Work work;
    int status = prepare(net, &work, pair->stages + 2);
    long rows = net->L * (2 * net->d + 1);
    for (long i = first; status == DONE && i < first + count; i++) {
        *failed = i;
        pack(rows, net->M, work.nv, theta + i * rows * net->M, work.state);
        status = flow(net, &work, pair, outputs, times, rtol, atol, max_steps,
                      of_replicate(net, to, i), s);
    }
    release(&work);
    return status;
}

/* Gradient descent θ ← θ − step L M ∇E, noted every ``every`` steps and at the last one. */
EXPORT int engine_descend(const Shape *net, long first, long count, const REAL *theta,
                          double step, long num_steps, long every, Record to, long *failed,
                          double *s)
{
    Work work;
    int status = prepare(net, &work, 2);
    long rows = net->L * (2 * net->d + 1), n = work.numbers;
    V *y = work.state, *slope = y + n;
    for (long i = first; status == DONE && i < first + count; i++) {
        Record one = of_replicate(net, to, i);
        double rate, size, integral = 0.0;
        long slot = 0;
        *failed = i;
        pack(rows, net->M, work.nv, theta + i * rows * net->M, y);
        for (long k = 0; k <= num_steps; k++) {
            *s = (double)k * step;
            evaluate(net, &work, y, decay(*s), slope, &rate, &size);
            if (!__builtin_isfinite(rate)) { status = NOT_FINITE; break; }
            if (k % every == 0 || k == num_steps) note(net, &work, &one, slot++, integral, size);
            if (k == num_steps) break;
            for (long v = 0; v < n; v++) y[v] = FMA(slope[v], step, y[v]);
            integral += step * rate;
        }
        unpack(rows, net->M, work.nv, y, one.final);
    }
    release(&work);
    return status;
}

/* y = tanh(x) elementwise, ``repeat`` times: for the tests of its error and of its speed. */
EXPORT void engine_tanh(long count, long repeat, const REAL *x, REAL *y)
{
    for (long again = 0; again < repeat; again++)
        for (long i = 0; i < count; i += LANES) {
            V in = (V)0;
            long many = count - i < LANES ? count - i : LANES;
            if (many == LANES) {
                memcpy(&in, x + i, sizeof(V));
                in = tanh_of(in);
                memcpy(y + i, &in, sizeof(V));
            } else {
                memcpy(&in, x + i, many * sizeof(REAL));
                in = tanh_of(in);
                memcpy(y + i, &in, many * sizeof(REAL));
            }
        }
}
