/* tuned_backend.h - a context on the device of fibers with a tuning of the test's own. */
#ifndef TUNED_BACKEND_H
#define TUNED_BACKEND_H

#include "ops_support.h"

extern "C" {
#include "cuda_internal.h"
}

/* The default tuning with other chunks and another edge between schedules, or any. */
struct Tuning : steti_cuda_tuning {
    Tuning(int n_in, int rows) : steti_cuda_tuning(stet_shim::chunks(n_in, rows))
    {
    }
    Tuning(const steti_cuda_tuning &tuning) : steti_cuda_tuning(tuning)
    {
    }
};

inline std::unique_ptr<Backend> OpenTuned(const Tuning &tuning)
{
    steti_backend *b = nullptr;
    stet_error err = NewError();
    EXPECT_EQ(steti_cuda_open_with(stet_shim::runtime(), 0, &tuning, &b, &err), STET_OK)
        << err.message;
    return std::make_unique<Backend>(stet_shim::ops(), b);
}

#endif
