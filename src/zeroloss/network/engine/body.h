/* Included by engine.c for each precision. */

typedef REAL NAME(V) __attribute__((ext_vector_type(LANES)));
typedef WORD NAME(W) __attribute__((ext_vector_type(LANES)));
#define V NAME(V)
#define VI NAME(W)
#define FMA(a, b, c) __builtin_elementwise_fma((V)(a), (V)(b), (V)(c))

/* ---- elementwise functions ---------------------------------------------------------------- */

#ifndef SINGLE
#define MAGIC 0x1.8p52
#define MANTISSA 52
#define ONE_BITS 0x3ff0000000000000LL
#define LN2_HIGH 0x1.62e42fefa3800p-1
#define LN2_LOW 0x1.ef35793c76730p-45
#define SIGN_BIT ((int64_t)1 << 63)
#define TANH_SATURATES 20.0
#define EXP_UNDERFLOWS 708.0
#else
#define MAGIC 0x1.8p23f
#define MANTISSA 23
#define ONE_BITS 0x3f800000
#define LN2_HIGH 0x1.62e400p-1f
#define LN2_LOW 0x1.7f7d1cp-20f
#define SIGN_BIT ((int32_t)1 << 31)
#define TANH_SATURATES 10.0f
#define EXP_UNDERFLOWS 87.0f
#endif
#define LOG2_E ((REAL)1.4426950408889634)

INLINE VI NAME(bits)(V x) { return __builtin_bit_cast(VI, x); }
INLINE V NAME(real)(VI x) { return __builtin_bit_cast(V, x); }

/* y = n ln 2 + r with |r| ≤ ln 2 / 2; returns expm1(r) and 2^n. Polynomial: r + r² q(r), q of
   degree 9 (4 in single precision) by Chebyshev interpolation, error below 4e-17 (3e-8). */
INLINE V NAME(expm1_reduced)(V y, V *power)
{
    V shifted = FMA(y, LOG2_E, MAGIC);
    V n = shifted - MAGIC;
    V r = FMA(n, -LN2_HIGH, y);
    r = FMA(n, -LN2_LOW, r);
    *power = NAME(real)((NAME(bits)(shifted) << MANTISSA) + (VI)ONE_BITS);
    V r2 = r * r;
#ifndef SINGLE
    V r4 = r2 * r2;
    V q01 = FMA(r, 0x1.5555555555556p-3, 0x1.0000000000001p-1);
    V q23 = FMA(r, 0x1.11111111109b5p-7, 0x1.5555555553d68p-5);
    V q45 = FMA(r, 0x1.a01a01a7c2efep-13, 0x1.6c16c17889ef1p-10);
    V q67 = FMA(r, 0x1.71de0db2f6b19p-19, 0x1.a019b9149a41cp-16);
    V q89 = FMA(r, 0x1.af389ecfc4b9cp-26, 0x1.28917c89a43a7p-22);
    V low = FMA(q23, r2, q01);
    V high = FMA(FMA(q89, r4, FMA(q67, r2, q45)), r4, low);
    return FMA(high, r2, r);
#else
    V q01 = FMA(r, 0x1.5554dep-3f, 0x1.0p-1f);
    V q23 = FMA(r, 0x1.120b62p-7f, 0x1.55551ap-5f);
    V high = FMA(FMA(0x1.6d10fcp-10f, r2, q23), r2, q01);
    return FMA(high, r2, r);
#endif
}

/* tanh |x| = −t/(t + 2) with t = expm1(−2 |x|): below 3 ulp, odd, NaN stays NaN. */
INLINE V NAME(tanh)(V x)
{
    VI sign = NAME(bits)(x) & (VI)SIGN_BIT;
    V size = NAME(real)(NAME(bits)(x) ^ sign);
    size = size > (V)TANH_SATURATES ? (V)TANH_SATURATES : size;
    V power;
    V p = NAME(expm1_reduced)((V)-2 * size, &power);
    V t = FMA(power, p, power - 1);
    return NAME(real)((NAME(bits)(t / (t + 2)) & ~(VI)SIGN_BIT) | sign);
}

/* exp(−y) for y ≥ 0. */
INLINE V NAME(exp_of_minus)(V y)
{
    V power;
    y = y > (V)EXP_UNDERFLOWS ? (V)EXP_UNDERFLOWS : y;
    V p = NAME(expm1_reduced)(-y, &power);
    return FMA(power, p, power);
}

/* Φ(u) = ½ erfc(−u/√2), and φ(u): erfc(x) = exp(−x²) e(t), t = 1/(1 + 0.35 x), with e a polynomial
   of degree 22 by Chebyshev interpolation, relative error below 4e-16. */
INLINE V NAME(normal)(V u, V *density)
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
    V x = size * (REAL)0.70710678118654752;
    V t = 1 / FMA(x, (REAL)0.35, 1);
    V s = FMA(t, (REAL)0x1.1a98ef606a63cp+1, (REAL)-0x1.3531dec0d4c78p+0);
    V s2 = s * s;
    V even = (V)(REAL)e[22], odd = (V)(REAL)e[21];
    for (int i = 20; i >= 0; i -= 2) even = FMA(even, s2, (REAL)e[i]);
    for (int i = 19; i >= 1; i -= 2) odd = FMA(odd, s2, (REAL)e[i]);
    V gauss = NAME(exp_of_minus)(x * x);
    V tail = (V)(REAL)0.5 * gauss * FMA(odd, s, even);
    *density = gauss * (REAL)0.39894228040143268;
    return u > 0 ? 1 - tail : tail;
}

/* σ(u); σ'(u) to *slope, or σ' as a function of σ where it is one (then *slope is not set). */
INLINE V NAME(activate)(int act, V u, V *slope)
{
    switch (act) {
    case TANH: return NAME(tanh)(u);
    case SIGMOID: return FMA(NAME(tanh)(u * (REAL)0.5), (REAL)0.5, (REAL)0.5);
    case GELU: {
        V density, probability = NAME(normal)(u, &density);
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
        V shifted = u + (REAL)0.5;
        shifted = shifted < 0 ? (V)0 : shifted;
        *slope = shifted > 1 ? (V)1 : shifted;
        return u > (V)(REAL)0.5 ? u : shifted * shifted * (REAL)0.5;
    }
    default: *slope = (V)1; return u;
    }
}

INLINE int NAME(slope_is_of_value)(int act) { return act == TANH || act == SIGMOID; }

INLINE V NAME(slope_of_value)(int act, V h)
{
    return act == TANH ? FMA(-h, h, 1) : h - h * h;
}

/* Sum over the lanes, always in this order. */
INLINE REAL NAME(sum)(V x)
{
    REAL s[LANES];
    for (int i = 0; i < LANES; i++) s[i] = x[i];
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++) s[i] += s[i + half];
    return s[0];
}

/* ---- one layer -----------------------------------------------------------------------------
   Samples n < N, units in nv vectors, parameters th in rows (a, w, b) of nv vectors each,
   features z and adjoint p (N, d), activations h and slopes s and q (nv, N). d and act are
   constants wherever these are inlined for the usual dimensions. */

#define TILE 4
#define KEPT_FROM 6
#define SMALL 3 /* dimensions that are compiled as constants */

/* h = σ(z w + b), s = σ' for ``many`` vectors of units and ``count`` samples. */
INLINE void NAME(activations)(int count, int many, long N, long nv, long d, int act,
                              const REAL *z, const V *th, V *h, V *s)
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
            h[k * N + i] = NAME(activate)(act, u[k * count + i], &slope);
            if (!NAME(slope_is_of_value)(act)) s[k * N + i] = slope;
        }
}

/* q = (p·a) σ'. */
INLINE void NAME(pulled)(int count, int many, long N, long nv, long d, int act, const REAL *p,
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
            q[k * N + i] = t[k * count + i] * (NAME(slope_is_of_value)(act)
                                                   ? NAME(slope_of_value)(act, h[k * N + i])
                                                   : s[k * N + i]);
}

/* out = from + scale Σ over units of h rowsᵀ for ``width`` of the d dimensions. */
INLINE void NAME(over_units)(int count, int width, long N, long nv, const V *h, const V *rows,
                             long d, REAL scale, const REAL *from, REAL *out)
{
    V total[TILE][TILE];
    for (int i = 0; i < count; i++)
        for (int j = 0; j < width; j++) total[i][j] = (V)0;
    for (long v = 0; v < nv; v++)
        for (int i = 0; i < count; i++)
            for (int j = 0; j < width; j++)
                total[i][j] = FMA(h[v * N + i], rows[j * nv + v], total[i][j]);
    for (int i = 0; i < count; i++)
        for (int j = 0; j < width; j++)
            out[i * d + j] = from[i * d + j] + scale * NAME(sum)(total[i][j]);
}

INLINE void NAME(move)(int count, long N, long nv, long d, const V *h, const V *rows, REAL scale,
                       const REAL *from, REAL *out)
{
    for (long j = 0; j < d; j += TILE) {
        const V *r = rows + j * nv;
        switch (d - j) {
        case 1: NAME(over_units)(count, 1, N, nv, h, r, d, scale, from + j, out + j); break;
        case 2: NAME(over_units)(count, 2, N, nv, h, r, d, scale, from + j, out + j); break;
        case 3: NAME(over_units)(count, 3, N, nv, h, r, d, scale, from + j, out + j); break;
        default: NAME(over_units)(count, TILE, N, nv, h, r, d, scale, from + j, out + j);
        }
    }
}

/* z_{l+1} of ``count`` samples. */
INLINE void NAME(forward_tile)(int count, long N, long nv, long d, int act, REAL scale,
                               const V *th, const REAL *z, REAL *next, V *h, V *s)
{
    long v = 0;
    if (d > SMALL)
        for (; v + 2 <= nv; v += 2)
            NAME(activations)(count, 2, N, nv, d, act, z, th + v, h + v * N, s + v * N);
    for (; v < nv; v++)
        NAME(activations)(count, 1, N, nv, d, act, z, th + v, h + v * N, s + v * N);
    if (next) NAME(move)(count, N, nv, d, h, th, scale, z, next);
}

INLINE void NAME(forward_layer)(long N, long nv, long d, int act, REAL scale, const V *th,
                                const REAL *z, REAL *next, V *h, V *s)
{
    long n = 0;
    for (; n + TILE <= N; n += TILE)
        NAME(forward_tile)(TILE, N, nv, d, act, scale, th, z + n * d, next ? next + n * d : NULL,
                           h + n, s + n);
    for (; n < N; n++)
        NAME(forward_tile)(1, N, nv, d, act, scale, th, z + n * d, next ? next + n * d : NULL,
                           h + n, s + n);
}

/* q and p_l of ``count`` samples. */
INLINE void NAME(backward_tile)(int count, long N, long nv, long d, int act, REAL scale,
                                const V *th, const REAL *p, REAL *before, const V *h, const V *s,
                                V *q)
{
    long v = 0;
    if (d > SMALL)
        for (; v + 2 <= nv; v += 2)
            NAME(pulled)(count, 2, N, nv, d, act, p, th + v, h + v * N, s + v * N, q + v * N);
    for (; v < nv; v++)
        NAME(pulled)(count, 1, N, nv, d, act, p, th + v, h + v * N, s + v * N, q + v * N);
    if (before) NAME(move)(count, N, nv, d, q, th + d * nv, scale, p, before);
}

/* Rows of ``width`` dimensions of ``many`` vectors: Σ over samples of xᵀ h. */
INLINE void NAME(over_samples)(int width, int many, long N, long nv, long d, const REAL *x,
                               const V *h, V *rows)
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

INLINE void NAME(gather)(int many, long N, long nv, long d, const REAL *x, const V *h, V *rows)
{
    long j = 0;
    for (; j + 8 <= d; j += 8)
        NAME(over_samples)(8, many, N, nv, d, x + j, h, rows + j * nv);
    for (; j + 2 <= d; j += 2)
        NAME(over_samples)(2, many, N, nv, d, x + j, h, rows + j * nv);
    for (; j < d; j++)
        NAME(over_samples)(1, many, N, nv, d, x + j, h, rows + j * nv);
}

/* The slope of ``many`` vectors of units: rows a (p against h), w and b (z and 1 against q). */
INLINE void NAME(rows)(int many, long N, long nv, long d, const REAL *p, const REAL *z,
                       const V *h, const V *q, V *out)
{
    V a[2 * SMALL], w[2 * SMALL], b[2];
    for (int i = 0; i < 2 * SMALL; i++) a[i] = w[i] = (V)0;
    for (int k = 0; k < many; k++) b[k] = (V)0;
    if (d > SMALL) {
        NAME(gather)(many, N, nv, d, p, h, out);
        NAME(gather)(many, N, nv, d, z, q, out + d * nv);
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
INLINE void NAME(backward_layer)(long N, long nv, long d, int act, REAL scale, const V *th,
                                 const REAL *z, const REAL *p, REAL *before, const V *h,
                                 const V *s, V *q, V *out)
{
    long n = 0, v = 0;
    for (; n + TILE <= N; n += TILE)
        NAME(backward_tile)(TILE, N, nv, d, act, scale, th, p + n * d,
                            before ? before + n * d : NULL, h + n, s + n, q + n);
    for (; n < N; n++)
        NAME(backward_tile)(1, N, nv, d, act, scale, th, p + n * d,
                            before ? before + n * d : NULL, h + n, s + n, q + n);
    for (; v + 2 <= nv; v += 2) NAME(rows)(2, N, nv, d, p, z, h + v * N, q + v * N, out + v);
    for (; v < nv; v++) NAME(rows)(1, N, nv, d, p, z, h + v * N, q + v * N, out + v);
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

static void NAME(forward)(long N, long nv, long d, int act, REAL scale, const V *th,
                          const REAL *z, REAL *next, V *h, V *s)
{
#define CALL(d, act) NAME(forward_layer)(N, nv, d, act, scale, th, z, next, h, s)
    BY_ACTIVATION(CALL)
#undef CALL
}

static void NAME(backward)(long N, long nv, long d, int act, REAL scale, const V *th,
                           const REAL *z, const REAL *p, REAL *before, const V *h, const V *s,
                           V *q, V *out)
{
#define CALL(d, act) NAME(backward_layer)(N, nv, d, act, scale, th, z, p, before, h, s, q, out)
    BY_ACTIVATION(CALL)
#undef CALL
}

/* ---- one network --------------------------------------------------------------------------- */

/* Shape and problem: inputs (N, d), targets (N,), readout (d,); rows of M units are held in nv
   vectors, the units that fill the last one up are zero and stay zero. With a rule in depth it is
   a cloud of M particles of these masses at each of L nodes instead of a network. */
typedef struct {
    long L, M, N, d;
    long act, recompute, regularised;
    double scale;
    const REAL *inputs, *targets, *readout, *masses;
    const Rule *rule;
} NAME(Shape);
#define SHAPE NAME(Shape)

typedef struct {
    long nv, layer, numbers; /* vectors of a row, of a layer, of the network */
    REAL *z, *p, *r;
    V *h, *s, *q, *state;
    V *rows;      /* of a cloud: masses, masses times a, masses times a wᵀ */
    REAL *F, *J;  /* of a cloud: field and its derivative at the nodes */
    double *factors; /* of a cloud with d ≥ KEPT_FROM: L U of I − A J for each sample, pivots */
    long *pivots;
    int factored; /* whether these are of an earlier solution */
    VI inside; /* which lanes of the last vector of a row are units */
} NAME(Work);
#define WORK NAME(Work)

/* Room for one network and ``states`` arrays like its parameters. */
static int NAME(prepare)(const SHAPE *net, WORK *work, long states)
{
    long nv = (net->M + LANES - 1) / LANES;
    long stored = net->recompute ? 1 : net->L;
    work->nv = nv;
    work->layer = (2 * net->d + 1) * nv;
    work->numbers = net->L * work->layer;
    for (int i = 0; i < LANES; i++) work->inside[i] = (nv - 1) * LANES + i < net->M ? -1 : 0;
    int cloud = net->rule != NULL, apart = cloud || !NAME(slope_is_of_value)(net->act);
    long samples = net->L * net->N * net->d;
    if (cloud) stored = net->L;
    work->z = aligned((samples + net->N * net->d) * sizeof(REAL));
    work->p = aligned((cloud ? samples : 2 * net->N * net->d) * sizeof(REAL));
    work->r = aligned(net->N * sizeof(REAL));
    work->h = aligned(stored * net->N * nv * sizeof(V));
    work->s = apart ? aligned(stored * net->N * nv * sizeof(V)) : work->h;
    work->q = aligned(net->N * nv * sizeof(V));
    work->rows = aligned(cloud ? (1 + net->d + net->d * net->d) * nv * sizeof(V) : 0);
    work->F = aligned(cloud ? samples * sizeof(REAL) : 0);
    work->J = aligned(cloud ? samples * net->d * sizeof(REAL) : 0);
    work->state = aligned(states * work->numbers * sizeof(V));
    long system = cloud && net->d >= KEPT_FROM ? net->N * net->L * net->d : 0;
    work->factors = aligned(system * net->L * net->d * sizeof(double));
    work->pivots = aligned(system * sizeof(long));
    return work->z && work->p && work->r && work->h && work->s && work->q && work->rows &&
                   work->F && work->J && work->state && work->factors && work->pivots
               ? DONE
               : NO_MEMORY;
}

static void NAME(release)(WORK *work)
{
    if (work->s != work->h) give_back(work->s);
    give_back(work->z), give_back(work->p), give_back(work->r), give_back(work->h);
    give_back(work->q), give_back(work->rows), give_back(work->F), give_back(work->J);
    give_back(work->state), give_back(work->factors), give_back(work->pivots);
}

/* Writes −L M ∇_θ E times sign to out, residuals to work->r; returns Σ |out|². */
static double NAME(velocity)(const SHAPE *net, WORK *work, const V *theta, V *out, double sign)
{
    long L = net->L, N = net->N, d = net->d, nv = work->nv;
    REAL scale = (REAL)net->scale, *z = work->z, *p = work->p, *before = p + N * d;
    long stored = net->recompute ? 0 : N * nv;
    memcpy(z, net->inputs, N * d * sizeof(REAL));
    for (long l = 0; l < L; l++)
        NAME(forward)(N, nv, d, net->act, scale, theta + l * work->layer, z + l * N * d,
                      z + (l + 1) * N * d, work->h + l * stored, work->s + l * stored);
    REAL factor = (REAL)(-sign * (double)(L * net->M) * net->scale / (double)N);
    for (long n = 0; n < N; n++) {
        REAL r = -net->targets[n];
        for (long j = 0; j < d; j++) r += net->readout[j] * z[(L * N + n) * d + j];
        work->r[n] = r;
        for (long j = 0; j < d; j++) p[n * d + j] = factor * r * net->readout[j];
    }
    V squares = (V)0;
    for (long l = L - 1; l >= 0; l--) {
        V *slope = out + l * work->layer;
        V *h = work->h + l * stored, *s = work->s + l * stored;
        if (net->recompute && l < L - 1)
            NAME(forward)(N, nv, d, net->act, scale, theta + l * work->layer, z + l * N * d, NULL,
                          h, s);
        NAME(backward)(N, nv, d, net->act, scale, theta + l * work->layer, z + l * N * d, p,
                       before, h, s, work->q, slope);
        REAL *swap = p;
        p = before;
        before = swap;
        for (long j = 0; j < d; j++) { /* the other rows are zero there: a = 0 */
            V *last = slope + j * nv + nv - 1;
            *last = NAME(real)(NAME(bits)(*last) & work->inside);
        }
        for (long i = 0; i < work->layer; i++) squares = FMA(slope[i], slope[i], squares);
    }
    return (double)NAME(sum)(squares);
}

/* (rows, M) with units innermost to vectors and back. */
static void NAME(pack)(long rows, long M, long nv, const REAL *from, V *to)
{
    memset(to, 0, rows * nv * sizeof(V));
    for (long i = 0; i < rows; i++) memcpy(to + i * nv, from + i * M, M * sizeof(REAL));
}

static void NAME(unpack)(long rows, long M, long nv, const V *from, REAL *to)
{
    for (long i = 0; i < rows; i++) memcpy(to + i * M, from + i * nv, M * sizeof(REAL));
}

/* ---- a cloud of particles at the nodes of an implicit rule in depth ------------------------- */

/* F (N, d) and σ, σ' at node q for the features z (N, d) there. */
static void NAME(node_field)(const SHAPE *net, WORK *work, long q, const V *theta)
{
    long N = net->N, d = net->d, nv = work->nv;
    const V *th = theta + q * work->layer;
    const REAL *z = work->z + q * N * d;
    V *h = work->h + q * N * nv, *s = work->s + q * N * nv, *mass = work->rows, *wa = mass + nv;
    REAL *F = work->F + q * N * d;
    NAME(forward)(N, nv, d, net->act, 1, th, z, NULL, h, s);
    if (NAME(slope_is_of_value)(net->act))
        for (long i = 0; i < N * nv; i++) s[i] = NAME(slope_of_value)(net->act, h[i]);
    for (long i = 0; i < d; i++)
        for (long v = 0; v < nv; v++) wa[i * nv + v] = mass[v] * th[i * nv + v];
    memset(F, 0, N * d * sizeof(REAL));
    long n = 0;
    for (; n + TILE <= N; n += TILE)
        NAME(move)(TILE, N, nv, d, h + n, wa, 1, F + n * d, F + n * d);
    for (; n < N; n++) NAME(move)(1, N, nv, d, h + n, wa, 1, F + n * d, F + n * d);
}

/* J (N, d, d) at node q from the σ' there. */
static void NAME(node_jacobian)(const SHAPE *net, WORK *work, long q, const V *theta)
{
    long N = net->N, d = net->d, nv = work->nv;
    const V *th = theta + q * work->layer, *s = work->s + q * N * nv;
    V *mass = work->rows, *wa = mass + nv, *outer = wa + d * nv;
    REAL *J = work->J + q * N * d * d;
    for (long i = 0; i < d; i++)
        for (long v = 0; v < nv; v++) wa[i * nv + v] = mass[v] * th[i * nv + v];
    for (long i = 0; i < d; i++)
        for (long j = 0; j < d; j++)
            for (long v = 0; v < nv; v++)
                outer[(i * d + j) * nv + v] = wa[i * nv + v] * th[(d + j) * nv + v];
    memset(J, 0, N * d * d * sizeof(REAL));
    long n = 0;
    for (; n + TILE <= N; n += TILE)
        NAME(move)(TILE, N, nv, d * d, s + n, outer, 1, J + n * d * d, J + n * d * d);
    for (; n < N; n++) NAME(move)(1, N, nv, d * d, s + n, outer, 1, J + n * d * d, J + n * d * d);
}

/* I − A ∘ J, or with the transpose of J, for sample n: (L d, L d). */
static void NAME(depth_system)(const SHAPE *net, const WORK *work, const double *matrix,
                               int transposed, long n, double *system)
{
    long L = net->L, d = net->d, m = L * d;
    for (long q = 0; q < L; q++)
        for (long i = 0; i < d; i++)
            for (long p = 0; p < L; p++)
                for (long j = 0; j < d; j++) {
                    const REAL *J = work->J + (p * net->N + n) * d * d;
                    double entry = (double)(transposed ? J[j * d + i] : J[i * d + j]);
                    system[(q * d + i) * m + p * d + j] =
                        (q == p && i == j ? 1.0 : 0.0) - matrix[q * L + p] * entry;
                }
}

/* y_q − Σ_p A_qp J_p y_p = y_q for sample n, or with the transpose of J; (L, d) in place. */
static int NAME(solve_depth)(const SHAPE *net, const WORK *work, const double *matrix, int transposed,
                             long n, double *system, double *y)
{
    NAME(depth_system)(net, work, matrix, transposed, n, system);
    return solve(net->L * net->d, system, y);
}

/* J at all nodes and the factors of I − A J of all samples. */
static int NAME(factor_depth)(const SHAPE *net, WORK *work, const V *theta)
{
    long m = net->L * net->d;
    for (long q = 0; q < net->L; q++) NAME(node_jacobian)(net, work, q, theta);
    for (long n = 0; n < net->N; n++) {
        double *system = work->factors + n * m * m;
        NAME(depth_system)(net, work, net->rule->matrix, 0, n, system);
        if (factor(m, system, work->pivots + n * m)) return NOT_FINITE;
    }
    work->factored = 1;
    return DONE;
}

/* The adjoint depth equation by the factors of the forward one. With B = diag(b), the adjoint matrix
   is C = B⁻¹ Aᵀ B, and (I − Aᵀ Jᵀ)⁻¹ = I + Aᵀ (I − A J)⁻ᵀ Jᵀ. */
static void NAME(adjoint_depth)(const SHAPE *net, const WORK *work, long n, double *u, double *y)
{
    long L = net->L, d = net->d, m = L * d;
    const Rule *rule = net->rule;
    for (long q = 0; q < L; q++) {
        const REAL *J = work->J + (q * net->N + n) * d * d;
        for (long i = 0; i < d; i++) y[q * d + i] *= rule->weights[q];
        for (long i = 0; i < d; i++) {
            u[q * d + i] = 0.0;
            for (long j = 0; j < d; j++) u[q * d + i] += (double)J[j * d + i] * y[q * d + j];
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
static int NAME(forward_depth)(const SHAPE *net, WORK *work, const V *theta, double *system)
{
    long L = net->L, N = net->N, d = net->d;
    const Rule *rule = net->rule;
    double largest = 0.0, *y = system + L * d * L * d;
    for (long i = 0; i < N * d; i++) {
        double size = __builtin_fabs((double)net->inputs[i]);
        largest = size > largest ? size : largest;
    }
    int keep = d >= KEPT_FROM;
    for (int again = 0; again < 40; again++) {
        double worst = 0.0;
        for (long q = 0; q < L; q++) NAME(node_field)(net, work, q, theta);
        for (long q = 0; !keep && q < L; q++) NAME(node_jacobian)(net, work, q, theta);
        if (keep && (!work->factored || again % 10 == 9) &&
            NAME(factor_depth)(net, work, theta) != DONE) return NOT_FINITE;
        for (long n = 0; n < N; n++) {
            double sample = 0.0;
            for (long q = 0; q < L; q++)
                for (long i = 0; i < d; i++) {
                    double defect = (double)work->z[(q * N + n) * d + i] -
                                    (double)net->inputs[n * d + i];
                    for (long p = 0; p < L; p++)
                        defect -= rule->matrix[q * L + p] * (double)work->F[(p * N + n) * d + i];
                    y[q * d + i] = defect;
                    if (!(__builtin_fabs(defect) <= sample)) sample = __builtin_fabs(defect);
                }
            if (!__builtin_isfinite(sample)) return NOT_FINITE;
            worst = sample > worst ? sample : worst;
            if (sample < rule->tolerance * (1.0 + largest)) continue;
            long m = L * d;
            if (keep)
                solve_factored(m, work->factors + n * m * m, work->pivots + n * m, y);
            else if (NAME(solve_depth)(net, work, rule->matrix, 0, n, system, y))
                return NOT_FINITE;
            for (long q = 0; q < L; q++)
                for (long i = 0; i < d; i++) work->z[(q * N + n) * d + i] -= (REAL)y[q * d + i];
        }
        if (worst < rule->tolerance * (1.0 + largest))
            return keep ? NAME(factor_depth)(net, work, theta) : DONE;
    }
    return NO_DEPTH;
}

/* Writes −∇_θ δE/δρ at the particles to out, residuals to work->r, ∫∫|∇_θ δE/δρ|² to *rate. */
static int NAME(cloud_velocity)(const SHAPE *net, WORK *work, const V *theta, V *out, double *rate)
{
    long L = net->L, N = net->N, d = net->d, nv = work->nv;
    const Rule *rule = net->rule;
    double *system = aligned((L * d + 1) * L * d * sizeof(double)), *y = system + L * d * L * d;
    if (!system) return NO_MEMORY;
    int status = NAME(forward_depth)(net, work, theta, system);
    for (long n = 0; status == DONE && n < N; n++) {
        double r = -(double)net->targets[n];
        for (long i = 0; i < d; i++) {
            double end = (double)net->inputs[n * d + i];
            for (long q = 0; q < L; q++)
                end += rule->weights[q] * (double)work->F[(q * N + n) * d + i];
            r += (double)net->readout[i] * end;
        }
        work->r[n] = (REAL)r;
        for (long i = 0; i < L * d; i++) y[i] = r * (double)net->readout[i % d];
        if (d >= KEPT_FROM)
            NAME(adjoint_depth)(net, work, n, system, y);
        else if (NAME(solve_depth)(net, work, rule->adjoint, 1, n, system, y))
            status = NOT_FINITE;
        for (long q = 0; q < L; q++)
            for (long i = 0; i < d; i++)
                work->p[(q * N + n) * d + i] = (REAL)(-y[q * d + i] / (double)N);
    }
    give_back(system);
    *rate = 0.0;
    for (long q = 0; status == DONE && q < L; q++) {
        V *slope = out + q * work->layer, squares = (V)0;
        NAME(backward)(N, nv, d, net->act, 1, theta + q * work->layer, work->z + q * N * d,
                       work->p + q * N * d, NULL, work->h + q * N * nv, work->s + q * N * nv,
                       work->q, slope);
        for (long j = 0; j < d; j++) {
            V *last = slope + j * nv + nv - 1;
            *last = NAME(real)(NAME(bits)(*last) & work->inside);
        }
        for (long j = 0; j < 2 * d + 1; j++)
            for (long v = 0; v < nv; v++)
                squares = FMA(work->rows[v] * slope[j * nv + v], slope[j * nv + v], squares);
        *rate += rule->weights[q] * (double)NAME(sum)(squares);
    }
    return status;
}

/* What does not change along a flow: the masses of a cloud, and z = x to start Newton from. */
static void NAME(begin)(const SHAPE *net, WORK *work)
{
    if (!net->rule) return;
    work->factored = 0;
    NAME(pack)(1, net->M, work->nv, net->masses, work->rows);
    for (long q = 0; q < net->L; q++)
        memcpy(work->z + q * net->N * net->d, net->inputs, net->N * net->d * sizeof(REAL));
}

/* Whether an array of (rows, M) can be read as vectors where it is. */
INLINE int NAME(is_packed)(const SHAPE *net, const WORK *work, const REAL *from)
{
    return net->M == work->nv * LANES && (uintptr_t)from % sizeof(V) == 0;
}

/* theta, out (R, L, k, M), residuals (R, N); sign −1 for the gradient itself. Returns 0, or
   NO_MEMORY. */
EXPORT int NAME(engine_velocity)(const SHAPE *net, long R, const REAL *theta, double sign,
                                 REAL *out, REAL *residuals)
{
    WORK work;
    int status = NAME(prepare)(net, &work, 2);
    long rows = net->L * (2 * net->d + 1), each = rows * net->M;
    for (long i = 0; status == DONE && i < R; i++) {
        const REAL *from = theta + i * each;
        int packed = NAME(is_packed)(net, &work, from) && NAME(is_packed)(net, &work, out);
        V *y = packed ? (V *)from : work.state, *slope = packed ? (V *)(out + i * each)
                                                                : work.state + work.numbers;
        if (!packed) NAME(pack)(rows, net->M, work.nv, from, y);
        NAME(velocity)(net, &work, y, slope, sign);
        if (!packed) NAME(unpack)(rows, net->M, work.nv, slope, out + i * each);
        memcpy(residuals + i * net->N, work.r, net->N * sizeof(REAL));
    }
    NAME(release)(&work);
    return status;
}

/* ---- training ------------------------------------------------------------------------------ */

/* The slope of E, or of E_s = E + e^{−s} mean |θ|² with the decay e^{−s} > 0; its dissipation to
   *rate and mean |θ|² to *size. */
static int NAME(evaluate)(const SHAPE *net, WORK *work, const V *y, double decay, V *out,
                          double *rate, double *size)
{
    *size = 0.0;
    if (net->rule) return NAME(cloud_velocity)(net, work, y, out, rate);
    double particles = (double)(net->L * net->M), squares = NAME(velocity)(net, work, y, out, 1);
    if (net->regularised) {
        V sizes = (V)0, slopes = (V)0, factor = (V)(REAL)(-2.0 * decay);
        for (long i = 0; i < work->numbers; i++) {
            out[i] = FMA(factor, y[i], out[i]);
            slopes = FMA(out[i], out[i], slopes);
            sizes = FMA(y[i], y[i], sizes);
        }
        squares = (double)NAME(sum)(slopes);
        *size = (double)NAME(sum)(sizes) / particles;
    }
    *rate = squares / particles + decay * *size; /* −dE_s/ds; the size counts only if regularised */
    return DONE;
}

/* to = y + Σ_j weights_j K_j over the stages with a weight that is not zero. */
INLINE void NAME(combine_some)(int count, long numbers, const V *y, const V **K, const V *weights,
                               V *to)
{
    for (long i = 0; i < numbers; i++) {
        V total = y[i];
        for (int j = 0; j < count; j++) total = FMA(weights[j], K[j][i], total);
        to[i] = total;
    }
}

static void NAME(combine)(int stages, const double *row, double h, long numbers, const V *y,
                          const V *slopes, V *to)
{
    const V *K[MOST_STAGES];
    V weights[MOST_STAGES];
    int count = 0;
    for (int j = 0; j < stages; j++)
        if (row[j] != 0.0) {
            K[count] = slopes + j * numbers;
            weights[count++] = (V)(REAL)(h * row[j]);
        }
    switch (count) {
    case 1: NAME(combine_some)(1, numbers, y, K, weights, to); break;
    case 2: NAME(combine_some)(2, numbers, y, K, weights, to); break;
    case 3: NAME(combine_some)(3, numbers, y, K, weights, to); break;
    case 4: NAME(combine_some)(4, numbers, y, K, weights, to); break;
    case 5: NAME(combine_some)(5, numbers, y, K, weights, to); break;
    default: NAME(combine_some)(count, numbers, y, K, weights, to);
    }
}

/* Σ (h Σ_j error_j K_j / (atol + rtol max(|y|, |new|)))². */
static double NAME(scaled_error)(const TABLEAU *pair, double h, double rtol, double atol,
                                 long numbers, const V *y, const V *new, const V *slopes)
{
    const V *K[MOST_STAGES];
    V weights[MOST_STAGES], total = (V)0;
    int count = 0;
    for (int j = 0; j < pair->stages; j++)
        if (pair->error[j] != 0.0) {
            K[count] = slopes + j * numbers;
            weights[count++] = (V)(REAL)(h * pair->error[j]);
        }
    for (long i = 0; i < numbers; i++) {
        V delta = weights[0] * K[0][i];
        for (int j = 1; j < count; j++) delta = FMA(weights[j], K[j][i], delta);
        V size = __builtin_elementwise_abs(y[i]), other = __builtin_elementwise_abs(new[i]);
        size = other > size ? other : size;
        delta /= FMA(size, (REAL)rtol, (REAL)atol);
        total = FMA(delta, delta, total);
    }
    return (double)NAME(sum)(total);
}

/* Where the numbers of one replicate go; output times are ``replicates`` rows apart. */
typedef struct {
    long replicates;
    REAL *residuals, *final;
    double *integral, *size;
    int64_t *accepted, *rejected;
} NAME(Record);
#define RECORD NAME(Record)

static RECORD NAME(of_replicate)(const SHAPE *net, RECORD all, long i)
{
    long each = net->L * (2 * net->d + 1) * net->M;
    RECORD one = {all.replicates, all.residuals + i * net->N, all.final + i * each,
                  all.integral + i, all.size + i, all.accepted + i, all.rejected + i};
    return one;
}

static void NAME(note)(const SHAPE *net, const WORK *work, const RECORD *to, long slot,
                       double integral, double size)
{
    memcpy(to->residuals + slot * to->replicates * net->N, work->r, net->N * sizeof(REAL));
    to->integral[slot * to->replicates] = integral;
    to->size[slot * to->replicates] = size;
}

static double NAME(first_step)(const TABLEAU *pair, double rtol, double atol, long numbers,
                               double count, const V *y, const V *slope)
{
    V total = (V)0;
    for (long i = 0; i < numbers; i++) {
        V scaled = slope[i] / FMA(__builtin_elementwise_abs(y[i]), (REAL)rtol, (REAL)atol);
        total = FMA(scaled, scaled, total);
    }
    double size = __builtin_sqrt((double)NAME(sum)(total) / count);
    double h = inverse_root(size < 1e-12 ? 1e-12 : size, pair->order);
    return 0.5 * (h > 0.5 ? 0.5 : h);
}

/* One replicate, its start in work->state, through the times by an embedded pair with first same
   as last; the rules of the step are those of zeroloss.integrate.runge_kutta.integrate. Returns DONE,
   NOT_FINITE or TOO_MANY; *s is how far it came. */
static int NAME(flow)(const SHAPE *net, WORK *work, const TABLEAU *pair, long outputs,
                      const double *times, double rtol, double atol, long max_steps, RECORD to,
                      double *s)
{
    long n = work->numbers, last = pair->stages - 1, slot = 0;
    double count = (double)(net->L * (2 * net->d + 1) * net->M);
    double rate, size, after, size_after, integral = 0.0;
    V *y = work->state, *new = y + n, *K = y + 2 * n;
    *s = 0.0;
    NAME(begin)(net, work);
    int status = NAME(evaluate)(net, work, y, 1.0, K, &rate, &size);
    if (status) return status;
    double h = NAME(first_step)(pair, rtol, atol, n, count, y, K);
    if (!__builtin_isfinite(h) || !__builtin_isfinite(rate)) return NOT_FINITE;
    if (times[0] == 0.0) NAME(note)(net, work, &to, slot++, 0.0, size);
    for (long step = 0; slot < outputs; step++) {
        if (step == max_steps) return TOO_MANY;
        /* stretch or halve the last steps so that none is tiny before an output */
        double left = times[slot] - *s, gained = rate * pair->b[0];
        double used = h >= left ? left : 2.0 * h > left ? 0.5 * left : h;
        for (long i = 1; i <= last; i++) {
            NAME(combine)(i, pair->a + i * pair->stages, used, n, y, K, new);
            status = NAME(evaluate)(net, work, new, decay(*s + pair->c[i] * used), K + i * n,
                                    &after, &size_after);
            if (status) break;
            gained += after * pair->b[i];
        }
        double error = status ? __builtin_inf() : __builtin_sqrt(
            NAME(scaled_error)(pair, used, rtol, atol, n, y, new, K) / count);
        if (!__builtin_isfinite(error)) { /* too far: a shorter step may stay finite */
            if (used < SHORTEST * (1.0 + *s)) return status ? status : NOT_FINITE;
            NAME(begin)(net, work);
            h = 0.2 * used;
            ++*to.rejected;
            continue;
        }
        double factor = 0.9 * inverse_root(error < 1e-10 ? 1e-10 : error, pair->order);
        factor = factor < 0.2 ? 0.2 : factor > 5.0 ? 5.0 : factor;
        if (error > 1.0) {
            h = used * factor;
            ++*to.rejected;
            continue;
        }
        /* a step cut short by an output time says nothing against the longer one */
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
        NAME(note)(net, work, &to, slot++, integral, size);
    }
    NAME(unpack)(net->L * (2 * net->d + 1), net->M, work->nv, y, to.final);
    return DONE;
}

/* Gradient flow of the replicates first, …, first + count − 1 of theta (R, L, k, M) through the
   output times. Returns DONE, or what went wrong with *failed the replicate and *s its time. */
EXPORT int NAME(engine_flow)(const SHAPE *net, const TABLEAU *pair, long first, long count,
                             const REAL *theta, long outputs, const double *times, double rtol,
                             double atol, long max_steps, RECORD to, long *failed, double *s)
{
    WORK work;
    int status = NAME(prepare)(net, &work, pair->stages + 2);
    long rows = net->L * (2 * net->d + 1);
    for (long i = first; status == DONE && i < first + count; i++) {
        *failed = i;
        NAME(pack)(rows, net->M, work.nv, theta + i * rows * net->M, work.state);
        status = NAME(flow)(net, &work, pair, outputs, times, rtol, atol, max_steps,
                            NAME(of_replicate)(net, to, i), s);
    }
    NAME(release)(&work);
    return status;
}

/* Gradient descent θ ← θ − step L M ∇E, noted every ``every`` steps and at the last one. */
EXPORT int NAME(engine_descend)(const SHAPE *net, long first, long count, const REAL *theta,
                                double step, long num_steps, long every, RECORD to, long *failed,
                                double *s)
{
    WORK work;
    int status = NAME(prepare)(net, &work, 2);
    long rows = net->L * (2 * net->d + 1), n = work.numbers;
    V *y = work.state, *slope = y + n;
    for (long i = first; status == DONE && i < first + count; i++) {
        RECORD one = NAME(of_replicate)(net, to, i);
        double rate, size, integral = 0.0;
        long slot = 0;
        *failed = i;
        NAME(pack)(rows, net->M, work.nv, theta + i * rows * net->M, y);
        for (long k = 0; k <= num_steps; k++) {
            *s = (double)k * step;
            NAME(evaluate)(net, &work, y, decay(*s), slope, &rate, &size);
            if (!__builtin_isfinite(rate)) { status = NOT_FINITE; break; }
            if (k % every == 0 || k == num_steps) NAME(note)(net, &work, &one, slot++, integral, size);
            if (k == num_steps) break;
            for (long v = 0; v < n; v++) y[v] = FMA(slope[v], (REAL)step, y[v]);
            integral += step * rate;
        }
        NAME(unpack)(rows, net->M, work.nv, y, one.final);
    }
    NAME(release)(&work);
    return status;
}

/* y = tanh(x) elementwise, ``repeat`` times: for the tests of its error and of its speed. */
EXPORT void NAME(engine_tanh)(long count, long repeat, const REAL *x, REAL *y)
{
    for (long again = 0; again < repeat; again++)
        for (long i = 0; i < count; i += LANES) {
            V in = (V)0;
            long many = count - i < LANES ? count - i : LANES;
            if (many == LANES) {
                memcpy(&in, x + i, sizeof(V));
                in = NAME(tanh)(in);
                memcpy(y + i, &in, sizeof(V));
            } else {
                memcpy(&in, x + i, many * sizeof(REAL));
                in = NAME(tanh)(in);
                memcpy(y + i, &in, many * sizeof(REAL));
            }
        }
}

#undef V
#undef VI
#undef FMA
#undef MAGIC
#undef MANTISSA
#undef ONE_BITS
#undef LN2_HIGH
#undef LN2_LOW
#undef SIGN_BIT
#undef TANH_SATURATES
#undef EXP_UNDERFLOWS
#undef LOG2_E
#undef TILE
#undef SMALL
#undef BY_DIMENSION
#undef BY_ACTIVATION
#undef SHAPE
#undef WORK
#undef RECORD
