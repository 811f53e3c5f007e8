// fake_devices.h - several devices made of the CPU backend: each can be held before a pass, made to
// fail for good at a call, or killed by a token.
#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>

extern "C" {
#include "cpu_backend.h"
}

namespace stet_test
{

struct FakeDevice {
    int fail_at = 0;      // from this argmax on everything fails; 0: never
    int32_t deadly = -1;  // a row of this token as well
    bool is_lost = false; //
    int calls = 0;        // of argmax
    int waits = 0;        // calls that are held
};

struct FakeDevices {
    static constexpr int count = 4;
    std::mutex lock;
    std::condition_variable changed;
    std::map<const steti_backend *, int> index;
    FakeDevice list[count];
    bool is_held = false; // nothing is embedded as long as this is set, but by lost ones
};

inline FakeDevices &fake_devices()
{
    static FakeDevices d;
    return d;
}

inline void reset_fake_devices()
{
    FakeDevices &d = fake_devices();
    std::lock_guard<std::mutex> guard(d.lock);
    for (auto &one : d.list) {
        one = FakeDevice{};
    }
    d.is_held = false;
}

inline void hold_fake_devices(bool is_held)
{
    FakeDevices &d = fake_devices();
    std::lock_guard<std::mutex> guard(d.lock);
    d.is_held = is_held;
    d.changed.notify_all();
}

inline void lose_fake_device(int i)
{
    FakeDevices &d = fake_devices();
    std::lock_guard<std::mutex> guard(d.lock);
    d.list[i].is_lost = true;
    d.changed.notify_all();
}

// The model's own context is none of the engine's devices.
inline FakeDevice *fake_of(const steti_backend *b)
{
    auto it = fake_devices().index.find(b);
    return it != fake_devices().index.end() ? &fake_devices().list[it->second] : nullptr;
}

inline stet_status fake_failure(const FakeDevice *one, stet_error *err)
{
    return steti_fail(err, STET_E_DEVICE, "fake device %d: the plug was pulled",
                      static_cast<int>(one - fake_devices().list));
}

inline const steti_backend_ops *fake_ops()
{
    static const steti_backend_ops *cpu = steti_cpu_backend();
    static steti_backend_ops ops = *cpu;
    ops.open = [](const steti_backend_options *o, steti_backend **out, stet_error *err) {
        stet_status st = cpu->open(o, out, err);
        std::lock_guard<std::mutex> guard(fake_devices().lock);
        if (st == STET_OK) {
            fake_devices().index[*out] = o->device_index % FakeDevices::count;
        }
        return st;
    };
    ops.close = [](steti_backend *b) {
        {
            std::lock_guard<std::mutex> guard(fake_devices().lock);
            fake_devices().index.erase(b);
        }
        cpu->close(b);
    };
    ops.embed = [](steti_backend *b, const steti_embed_params *p, stet_error *err) {
        {
            FakeDevices &d = fake_devices();
            std::unique_lock<std::mutex> guard(d.lock);
            FakeDevice *one = fake_of(b);
            if (one != nullptr) {
                one->waits++;
                d.changed.wait(guard, [&d, one] { return !d.is_held || one->is_lost; });
                one->waits--;
            }
            for (int r = 0; one != nullptr && r < p->n_rows; r++) {
                one->is_lost |= p->ids[r] == one->deadly;
            }
            if (one != nullptr && one->is_lost) {
                return fake_failure(one, err);
            }
        }
        return cpu->embed(b, p, err);
    };
    ops.argmax = [](steti_backend *b, const steti_argmax_params *p, stet_error *err) {
        {
            std::lock_guard<std::mutex> guard(fake_devices().lock);
            FakeDevice *one = fake_of(b);
            if (one != nullptr) {
                one->is_lost |= ++one->calls == one->fail_at;
            }
            if (one != nullptr && one->is_lost) {
                return fake_failure(one, err);
            }
        }
        return cpu->argmax(b, p, err);
    };
    return &ops;
}

} // namespace stet_test
