{# Matrix products in row-major order, in the precision of the arrays. #}
{% include 'rows.h' %}

#include <cblas.h>
#include <stdexcept>
#include <type_traits>
{% include 'share.h' %}

extern "C" void scipy_openblas_set_num_threads(int);

namespace {

inline void dense_blas(bool trans_a, bool trans_b, int m, int n, int k, float alpha,
                       const float* a, int lda, const float* b, int ldb, float beta,
                       float* c, int ldc)
{
    scipy_cblas_sgemm(CblasRowMajor, trans_a ? CblasTrans : CblasNoTrans,
                      trans_b ? CblasTrans : CblasNoTrans, m, n, k, alpha, a, lda, b, ldb,
                      beta, c, ldc);
}

inline void dense_blas(bool trans_a, bool trans_b, int m, int n, int k, double alpha,
                       const double* a, int lda, const double* b, int ldb, double beta,
                       double* c, int ldc)
{
    scipy_cblas_dgemm(CblasRowMajor, trans_a ? CblasTrans : CblasNoTrans,
                      trans_b ? CblasTrans : CblasNoTrans, m, n, k, alpha, a, lda, b, ldb,
                      beta, c, ldc);
}

// c = beta * c + alpha * a * b, m x n of sums of k, where beta is 0 or 1. Each thread has some of the rows, which are mostly
// replicas, whose states it has computed too; or of the columns if these are many more, lest all
// threads rearrange all of b. BLAS itself uses one thread.
template <typename T>
inline void dense_gemm(bool trans_a, bool trans_b, int m, int n, int k,
                       typename std::common_type<T>::type alpha, const T* a, int lda, const T* b,
                       int ldb, typename std::common_type<T>::type beta, T* c, int ldc)
{
    // Biases are weights from one unit, for which BLAS takes several times as long.
    if (m == 1 && (!trans_a || lda == 1) && ldb == (trans_b ? k : n))
        dense_row<T>(trans_b, n, k, alpha, a, b, beta, c);
    else if (k == 1 && (!trans_b || ldb == 1))
        dense_share(m, n, [=](int first, int last) {
            for (int row = first; row < last; row++)
                dense_row<T>(false, n, 1, alpha, a + (trans_a ? row : (size_t)row * lda), b, beta,
                             c + (size_t)row * ldc);
        });
    else if (n > 2 * m)
        dense_share(n, (size_t)m * k, [=](int first, int last) {
            dense_blas(trans_a, trans_b, m, last - first, k, alpha, a, lda,
                       b + (trans_b ? (size_t)first * ldb : first), ldb, beta, c + first, ldc);
        });
    else
        dense_share(m, (size_t)n * k, [=](int first, int last) {
            dense_blas(trans_a, trans_b, last - first, n, k, alpha,
                       a + (trans_a ? first : (size_t)first * lda), lda, b, ldb, beta,
                       c + (size_t)first * ldc, ldc);
        });
}

// matrix = beta * matrix + alpha * mean over rows of pre^T post; a null pointer stands for a
// factor that is 1 everywhere.
template <typename T>
inline void dense_outer(T beta, T alpha, const T* pre, const T* post, T* matrix, int rows,
                        int n_pre, int n_post)
{
    if (pre && post) {
        dense_gemm(true, false, n_pre, n_post, rows, alpha / rows, pre, n_pre, post, n_post,
                   beta, matrix, n_post);
        return;
    }
    const T* factor = pre ? pre : post;
    const int width = pre ? n_pre : n_post;
    static thread_local std::vector<T> mean;
    mean.assign(width, T(0));
    for (int row = 0; row < rows; row++)
        for (int unit = 0; unit < width; unit++)
            mean[unit] += factor[(size_t)row * width + unit];
    for (int unit = 0; unit < width; unit++)
        mean[unit] *= alpha / rows;
    for (int i = 0; i < n_pre; i++)
        for (int j = 0; j < n_post; j++) {
            T& entry = matrix[(size_t)i * n_post + j];
            // beta = 0 has to forget what was there, even a NaN
            entry = (beta == 0 ? T(0) : beta * entry) + mean[pre ? i : j];
        }
}

// out = beta * out + alpha * the sum of each row of left
template <typename T>
inline void dense_row_sums(int rows, int n_out, int n_in, T alpha, const T* left, T beta, T* out)
{
    dense_share(rows, n_in + n_out, [=](int first, int last) {
        for (int row = first; row < last; row++) {
            const T sum = alpha * dense_sum_of(n_in, left + (size_t)row * n_in);
            for (int unit = 0; unit < n_out; unit++) {
                T& entry = out[(size_t)row * n_out + unit];
                entry = (beta == 0 ? T(0) : beta * entry) + sum;
            }
        }
    });
}

inline void dense_gemv(bool transposed, int m, int n, float alpha, const float* a, int lda,
                       const float* x, float beta, float* y)
{
    scipy_cblas_sgemv(CblasRowMajor, transposed ? CblasTrans : CblasNoTrans, m, n, alpha, a, lda,
                      x, 1, beta, y, 1);
}

inline void dense_gemv(bool transposed, int m, int n, double alpha, const double* a, int lda,
                       const double* x, double beta, double* y)
{
    scipy_cblas_dgemv(CblasRowMajor, transposed ? CblasTrans : CblasNoTrans, m, n, alpha, a, lda,
                      x, 1, beta, y, 1);
}

// The same for several rows, whose totals are all equal without a factor.
template <typename T>
inline void dense_differences(int rows, int n_out, int n_in, const T* factor, const T* inner,
                              const T* outer, const T* matrix, bool transposed, T* out)
{
    if (rows == 1)
    {
        dense_difference(transposed, n_out, n_in, factor, inner, outer, matrix, out);
        return;
    }
    const int others = factor ? rows : 1;
    static thread_local std::vector<T> left, both, middle;
    left.resize((size_t)(rows + others) * n_in);
    both.resize((size_t)(rows + others) * n_out);
    middle.resize(rows);
    for (int row = 0; row < rows; row++) {
        const T* values = inner + (size_t)row * n_in;
        middle[row] = dense_sum_of(n_in, values) / n_in;
        for (int unit = 0; unit < n_in; unit++)
            left[(size_t)row * n_in + unit] =
                (values[unit] - middle[row]) * (factor ? factor[(size_t)row * n_in + unit] : T(1));
    }
    for (size_t place = 0; place < (size_t)others * n_in; place++)
        left[(size_t)rows * n_in + place] = factor ? factor[place] : T(1);
    if (matrix)
        dense_gemm(false, transposed, rows + others, n_out, n_in, 1, left.data(), n_in, matrix,
                   transposed ? n_in : n_out, 0, both.data(), n_out);
    else
        for (int row = 0; row < rows + others; row++) {
            T sum = 0;
            for (int unit = 0; unit < n_in; unit++)
                sum += left[(size_t)row * n_in + unit];
            std::fill_n(both.data() + (size_t)row * n_out, n_out, sum);
        }
    for (int row = 0; row < rows; row++)
        for (int unit = 0; unit < n_out; unit++) {
            const size_t place = (size_t)row * n_out + unit;
            const size_t total = (size_t)(rows + (factor ? row : 0)) * n_out + unit;
            out[place] = both[place] + (outer[place] + middle[row]) * both[total];
        }
}

// out[row] += alpha * sum over k of sent[k, row] (received[k, row] . now[row])
template <typename T>
inline void dense_each_row(int count, int rows, int n_in, int n_out, T alpha, const T* now,
                           const T* received, const T* sent, T* out)
{
    if (count == 0)
        return;
    dense_share(rows, (size_t)count * (n_in + n_out), [=](int first, int last) {
        static thread_local std::vector<T> strength;
        strength.resize(count);
        for (int row = first; row < last; row++) {
            dense_gemv(false, count, n_in, T(1), received + (size_t)row * n_in, rows * n_in,
                       now + (size_t)row * n_in, T(0), strength.data());
            dense_gemv(true, count, n_out, alpha, sent + (size_t)row * n_out, rows * n_out,
                       strength.data(), T(1), out + (size_t)row * n_out);
        }
    });
}

// BLAS's own threads would share a sum in other ways on other machines.
inline void dense_use_one_thread()
{
    static const bool done = (scipy_openblas_set_num_threads(1), true);
    (void)done;
}

}
