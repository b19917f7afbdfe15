// SPDX-License-Identifier: Apache-2.0
// Drives a Verilated accelerator from C: AXI4-Lite master, stream source and sink, probes, clock.
// probes.h, written beside this file for each design, defines SPIKEWRIGHT_PROBES(X) as X(0) X(1) ...
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "Vtop.h"
#include "probes.h"
#include "verilated.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

constexpr uint64_t HALF_PERIOD = 5;  // ns, in waveforms only
constexpr int RESET_CYCLES = 8;
constexpr int NO_ANSWER = -1;

// SplitMix64: the Python engine has the same one, so that both stall in the same cycles.
struct Random {
    uint64_t state = 0;

    uint32_t next() {
        uint64_t z = (state += 0x9E3779B97F4A7C15u);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        return static_cast<uint32_t>((z ^ (z >> 31)) >> 32);
    }
    bool below(uint64_t threshold) { return threshold && next() < threshold; }
};

struct Source {
    const uint32_t* words = nullptr;
    size_t count = 0, sent = 0;
    bool offered = false;

    size_t left() const { return count - sent; }
};

struct Sink {
    uint32_t* words = nullptr;
    size_t capacity = 0, received = 0;
    bool busy = false, last = false;
};

// Handshakes seen on the AXI4-Lite channels since the access began.
struct Access {
    bool aw = false, w = false, b = false, ar = false, r = false;
    uint32_t response = 0, data = 0;
};

struct Beat {
    int64_t layer, flags, data;
};

class Simulation {
   public:
    Source tx;
    Sink rx;
    uint64_t cycles = 0, tx_stall = 0, rx_stall = 0;
    Random random;
    bool recording = false;
    std::vector<Beat> beats;

    Simulation() {
        context_.traceEverOn(VM_TRACE);
        top_.reset(new Vtop{&context_, "spikewright"});
        reset();
    }

    ~Simulation() {
        trace(nullptr);
        top_->final();
    }

    void reset() {
        tx = Source{};
        rx = Sink{};
        top_->s_axi_awvalid = top_->s_axi_wvalid = top_->s_axi_arvalid = 0;
        top_->s_axi_bready = top_->s_axi_rready = 0;
        top_->aresetn = 0;
        for (int i = 0; i < RESET_CYCLES; i++) tick();
        top_->aresetn = 1;
        cycles = 0;
    }

    int write(uint32_t address, uint32_t data, uint64_t limit) {
        access_ = Access{};
        top_->s_axi_awaddr = address;
        top_->s_axi_wdata = data;
        top_->s_axi_wstrb = 0xF;
        top_->s_axi_awvalid = top_->s_axi_wvalid = top_->s_axi_bready = 1;
        for (uint64_t i = 0; i < limit && !access_.b; i++) tick();
        top_->s_axi_awvalid = top_->s_axi_wvalid = top_->s_axi_bready = 0;
        return access_.b ? static_cast<int>(access_.response) : NO_ANSWER;
    }

    int read(uint32_t address, uint32_t* data, uint64_t limit) {
        access_ = Access{};
        top_->s_axi_araddr = address;
        top_->s_axi_arvalid = top_->s_axi_rready = 1;
        for (uint64_t i = 0; i < limit && !access_.r; i++) tick();
        top_->s_axi_arvalid = top_->s_axi_rready = 0;
        *data = access_.data;
        return access_.r ? static_cast<int>(access_.response) : NO_ANSWER;
    }

    void run(uint64_t count, bool until_idle) {
        while (count-- && !(until_idle && !tx.left() && !rx.busy)) tick();
    }

    bool trace(const char* path) {
#if VM_TRACE
        if (trace_) trace_->close();
        trace_.reset();
        if (!path) return true;
        trace_.reset(new VerilatedVcdC);
        top_->trace(trace_.get(), 99);
        trace_->open(path);
        return trace_->isOpen();
#else
        return !path;
#endif
    }

   private:
    VerilatedContext context_;
    std::unique_ptr<Vtop> top_;
    Access access_;
    uint64_t time_ = 0;
#if VM_TRACE
    std::unique_ptr<VerilatedVcdC> trace_;
#endif

    void tick() {
        drive_streams();
        clock(0);  // lets combinational paths settle: what follows is what the rising edge sees
        const bool sent = tx.offered && top_->s_axis_tready;
        sample_sink();
        sample_access();
        if (recording) sample_probes();
        clock(1);
        if (sent) {
            tx.sent++;
            tx.offered = false;
        }
        if (access_.aw) top_->s_axi_awvalid = 0;
        if (access_.w) top_->s_axi_wvalid = 0;
        if (access_.ar) top_->s_axi_arvalid = 0;
        cycles++;
    }

    void clock(int level) {
        top_->aclk = level;
        top_->eval();
#if VM_TRACE
        if (trace_) trace_->dump(time_);
#endif
        time_ += HALF_PERIOD;
    }

    void drive_streams() {
        if (!tx.offered && tx.left()) tx.offered = !random.below(tx_stall);
        top_->s_axis_tvalid = tx.offered;
        if (tx.offered) {
            top_->s_axis_tdata = tx.words[tx.sent];
            top_->s_axis_tkeep = 0xF;
            top_->s_axis_tlast = tx.left() == 1;
        }
        top_->m_axis_tready = rx.busy && !random.below(rx_stall);
    }

    void sample_sink() {
        if (!(top_->m_axis_tready && top_->m_axis_tvalid)) return;
        rx.words[rx.received++] = top_->m_axis_tdata;
        rx.last = top_->m_axis_tlast;
        rx.busy = !rx.last && rx.received < rx.capacity;
    }

    void sample_access() {
        if (top_->s_axi_awvalid && top_->s_axi_awready) access_.aw = true;
        if (top_->s_axi_wvalid && top_->s_axi_wready) access_.w = true;
        if (top_->s_axi_arvalid && top_->s_axi_arready) access_.ar = true;
        if (top_->s_axi_bready && top_->s_axi_bvalid) {
            access_.b = true;
            access_.response = top_->s_axi_bresp;
        }
        if (top_->s_axi_rready && top_->s_axi_rvalid) {
            access_.r = true;
            access_.response = top_->s_axi_rresp;
            access_.data = top_->s_axi_rdata;
        }
    }

#define PROBE(i)                                                                      \
    if (top_->probe_fire >> i & 1)                                                    \
        beats.push_back({i, top_->probe##i##_flags, static_cast<int64_t>(top_->probe##i##_data)});
    void sample_probes() { SPIKEWRIGHT_PROBES(PROBE) }
#undef PROBE
};

}  // namespace

EXPORT Simulation* sw_new() { return new Simulation; }
EXPORT void sw_free(Simulation* s) { delete s; }
EXPORT void sw_reset(Simulation* s) { s->reset(); }
EXPORT uint64_t sw_cycles(Simulation* s) { return s->cycles; }
EXPORT void sw_run(Simulation* s, uint64_t count, int until_idle) { s->run(count, until_idle); }
EXPORT int sw_trace(Simulation* s, const char* path) { return s->trace(path); }

EXPORT int sw_write(Simulation* s, uint32_t address, const uint32_t* words, size_t count, uint64_t limit) {
    int answer = 0;
    for (size_t i = 0; i < count && !answer; i++) answer = s->write(address, words[i], limit);
    return answer;
}

EXPORT int sw_read(Simulation* s, uint32_t address, uint32_t* words, size_t count, uint64_t limit) {
    int answer = 0;
    for (size_t i = 0; i < count && !answer; i++) answer = s->read(address, &words[i], limit);
    return answer;
}

EXPORT void sw_tx(Simulation* s, const uint32_t* words, size_t count) { s->tx = Source{words, count}; }
EXPORT size_t sw_tx_left(Simulation* s) { return s->tx.left(); }
EXPORT void sw_rx(Simulation* s, uint32_t* words, size_t capacity) {
    // Dropping a packet keeps the count of what came, for whoever asks how far it got.
    if (capacity) s->rx = Sink{words, capacity, 0, true, false};
    s->rx.busy = capacity > 0;
}
EXPORT int sw_rx_busy(Simulation* s) { return s->rx.busy; }
EXPORT size_t sw_rx_count(Simulation* s) { return s->rx.received; }
EXPORT int sw_rx_last(Simulation* s) { return s->rx.last; }

EXPORT void sw_stall(Simulation* s, uint64_t tx, uint64_t rx, uint64_t seed) {
    s->tx_stall = tx;
    s->rx_stall = rx;
    s->random.state = seed;
}

EXPORT void sw_record(Simulation* s, int on) { s->recording = on; }
EXPORT size_t sw_beats(Simulation* s) { return s->beats.size(); }
EXPORT void sw_take_beats(Simulation* s, int64_t* out) {
    if (!s->beats.empty()) std::memcpy(out, s->beats.data(), s->beats.size() * sizeof(Beat));
    s->beats.clear();
}
