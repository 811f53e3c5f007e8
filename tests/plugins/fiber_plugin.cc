// The CUDA backend on fibers (tests/shim) as a plug-in: what a device with its compute types does
// behind stet.h. One thread at a time may use it.
#include "shim_device.h"

extern "C" __attribute__((visibility("default"))) const steti_backend_ops *steti_backend_plugin()
{
    return stet_shim::ops();
}
