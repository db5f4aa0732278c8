{# Work for the threads of a program, if it has been compiled for several. #}
#include <cstddef>
{{ openmp_pragma('include') }}

namespace {

//: Multiplications that take longer than to wake a thread.
const size_t dense_worthwhile = 30000;

// Calls part(first, last) for parts of a range, one for each thread, if `cost` for each element makes
// it worthwhile. Borders depend on nothing but the number of threads, and so do all results; they
// are at multiples of 16, for vector instructions.
template <typename F>
inline void dense_share(int size, size_t cost, F part)
{
{% if openmp_pragma('with_openmp') %}
    if (size * cost > dense_worthwhile)
    {
        {{ openmp_pragma('parallel') }}
        {
            const int threads = omp_get_num_threads(), thread = omp_get_thread_num();
            const int blocks = (size + 15) / 16;
            const int first = std::min(size, 16 * (int)((long)blocks * thread / threads));
            const int last = std::min(size, 16 * (int)((long)blocks * (thread + 1) / threads));
            if (first < last)
                part(first, last);
        }
        return;
    }
{% endif %}
    part(0, size);
}

}
