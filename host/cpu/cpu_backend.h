/* cpu_backend.h - the backend for processors: own packed kernels, chosen at run time.
 *
 * All instruction sets give the same bits: every float operation is written as the same sequence of
 * IEEE operations (fused multiply-adds where written, nothing contracted or reordered by the
 * compiler), and the portable C version is the reference that the others are compared with by
 * memcmp.
 */
#ifndef STETI_CPU_BACKEND_H
#define STETI_CPU_BACKEND_H

#include "backend.h"

const struct steti_backend_ops *steti_cpu_backend(void);

#endif
