{# A row times a matrix in row-major order, for networks without replicas, in C++ and in Cython. Each
   entry of the matrix is read once: four of its rows at a time keep as many loads under way as
   memory allows, which is at least as fast as BLAS for a single row. #}
#include <algorithm>
#include <cstddef>
#include <vector>

namespace {

// Adds left * matrix (rows x columns) to out.
template <typename T>
inline void dense_add_row(int rows, int columns, T alpha, const T* __restrict left,
                          const T* __restrict matrix, T* __restrict out)
{
    int row = 0;
    for (; row + 4 <= rows; row += 4)
    {
        const T* __restrict a = matrix + (size_t)row * columns;
        const T* __restrict b = a + columns;
        const T* __restrict c = b + columns;
        const T* __restrict d = c + columns;
        const T x = alpha * left[row], y = alpha * left[row + 1];
        const T z = alpha * left[row + 2], u = alpha * left[row + 3];
        for (int column = 0; column < columns; column++)
            out[column] += x * a[column] + y * b[column] + z * c[column] + u * d[column];
    }
    for (; row < rows; row++)
    {
        const T* __restrict a = matrix + (size_t)row * columns;
        const T x = alpha * left[row];
        for (int column = 0; column < columns; column++)
            out[column] += x * a[column];
    }
}

// The same with the transposed of a matrix, which is (columns x rows) as it is stored.
template <typename T>
inline void dense_add_row_transposed(int rows, int columns, T alpha, const T* __restrict left,
                                     const T* __restrict matrix, T* __restrict out)
{
    int column = 0;
    for (; column + 4 <= columns; column += 4)
    {
        const T* __restrict a = matrix + (size_t)column * rows;
        const T* __restrict b = a + rows;
        const T* __restrict c = b + rows;
        const T* __restrict d = c + rows;
        T x = 0, y = 0, z = 0, u = 0;
        for (int row = 0; row < rows; row++)
        {
            x += left[row] * a[row];
            y += left[row] * b[row];
            z += left[row] * c[row];
            u += left[row] * d[row];
        }
        out[column] += alpha * x;
        out[column + 1] += alpha * y;
        out[column + 2] += alpha * z;
        out[column + 3] += alpha * u;
    }
    for (; column < columns; column++)
    {
        const T* __restrict a = matrix + (size_t)column * rows;
        T x = 0;
        for (int row = 0; row < rows; row++)
            x += left[row] * a[row];
        out[column] += alpha * x;
    }
}

// out = beta * out + alpha * left * matrix; beta is 0 or 1
template <typename T>
inline void dense_row(bool transposed, int n_out, int n_in, T alpha, const T* left,
                      const T* matrix, T beta, T* out)
{
    if (beta == 0)
        std::fill_n(out, n_out, T(0)); // whatever was there, even a NaN
    if (transposed)
        dense_add_row_transposed(n_in, n_out, alpha, left, matrix, out);
    else
        dense_add_row(n_in, n_out, alpha, left, matrix, out);
}

// Two rows at once: one = left * matrix, and two = right * matrix.
template <typename T>
inline void dense_two_rows(bool transposed, int n_out, int n_in, const T* __restrict left,
                           const T* __restrict right, const T* __restrict matrix,
                           T* __restrict one, T* __restrict two)
{
    std::fill_n(one, n_out, T(0));
    std::fill_n(two, n_out, T(0));
    if (transposed)
    {
        for (int column = 0; column < n_out; column++)
        {
            const T* __restrict a = matrix + (size_t)column * n_in;
            T x = 0, y = 0;
            for (int row = 0; row < n_in; row++)
            {
                x += left[row] * a[row];
                y += right[row] * a[row];
            }
            one[column] = x;
            two[column] = y;
        }
        return;
    }
    int row = 0;
    for (; row + 2 <= n_in; row += 2)
    {
        const T* __restrict a = matrix + (size_t)row * n_out;
        const T* __restrict b = a + n_out;
        const T x = left[row], y = left[row + 1], z = right[row], u = right[row + 1];
        for (int column = 0; column < n_out; column++)
        {
            one[column] += x * a[column] + y * b[column];
            two[column] += z * a[column] + u * b[column];
        }
    }
    if (row < n_in)
    {
        dense_add_row(1, n_out, T(1), left + row, matrix + (size_t)row * n_out, one);
        dense_add_row(1, n_out, T(1), right + row, matrix + (size_t)row * n_out, two);
    }
}

template <typename T>
inline T dense_sum_of(int size, const T* values)
{
    T sum = 0;
    for (int unit = 0; unit < size; unit++)
        sum += values[unit];
    return sum;
}

// out = sum over the inner units of factor * matrix * (inner + outer). A mean is taken from one addend
// and given to the other, so that no digits are lost to what they have in common. Null pointers
// stand for factors that are 1 everywhere.
template <typename T>
inline void dense_difference(bool transposed, int n_out, int n_in, const T* factor, const T* inner,
                             const T* outer, const T* matrix, T* out)
{
    static thread_local std::vector<T> left, right, total;
    left.resize(n_in);
    right.assign(n_in, T(1));
    total.resize(n_out);
    if (factor)
        std::copy_n(factor, n_in, right.begin());
    const T middle = dense_sum_of(n_in, inner) / n_in;
    for (int unit = 0; unit < n_in; unit++)
        left[unit] = (inner[unit] - middle) * right[unit];
    if (matrix)
        dense_two_rows(transposed, n_out, n_in, left.data(), right.data(), matrix, out, total.data());
    else
    {
        std::fill_n(out, n_out, dense_sum_of(n_in, left.data()));
        std::fill_n(total.begin(), n_out, dense_sum_of(n_in, right.data()));
    }
    for (int unit = 0; unit < n_out; unit++)
        out[unit] += (outer[unit] + middle) * total[unit];
}

}
