/* model_devices.h - the contexts that hold a model's weights. Private to host/api. */
#ifndef STETI_MODEL_DEVICES_H
#define STETI_MODEL_DEVICES_H

#include "api_internal.h"

/* Opens the first device and settles what the options leave open about the others. */
stet_status model_devices_open(stet_model *m, stet_error *err);
/* After the weights are on the first device: copies them to the others, where these do not see
 * them anyway. */
stet_status model_devices_share(stet_model *m, stet_error *err);
/* Also after any failure of these; closes m->net, too. */
void model_devices_close(stet_model *m);

/* Memory of all devices that no allocator of this library saw. */
size_t model_devices_elsewhere(const stet_model *m);

#endif
