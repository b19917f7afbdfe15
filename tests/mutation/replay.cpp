// SPDX-License-Identifier: Apache-2.0
// Replays recorded vectors on every mutant of a design that CXXRTL has made; says which are found.
//
// Input, all numbers, from a file: see `campaign.py`, which writes it. Output, a line for each mutant:
// its number, what killed it (or "-"), the scenario and the cycle.

#include "design.cc"

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

// Cycles in which every buffer is filled.
static const uint64_t DAM = 300;

using Words = std::vector<uint32_t>;

struct Port {
  uint32_t *bits = nullptr;
  size_t chunks = 0;
  size_t width = 0;

  // Bits of a chunk that there are.
  uint32_t within(size_t chunk) const {
    size_t left = width - 32 * chunk;
    return left >= 32 ? 0xFFFFFFFFu : (1u << left) - 1;
  }
};

struct Stream {
  std::string name;
  std::vector<Words> beats, masks;
};

struct Pulse {
  std::string kind;
  uint32_t data = 0;
};

struct Host {
  std::string name;
  std::vector<Pulse> pulses;
};

struct Scenario {
  uint64_t seed = 0;
  uint64_t limit = 0;
  bool timed = false;
  std::vector<Host> loads, reads;
  std::vector<Stream> sources, sinks;
  std::vector<std::pair<std::string, uint32_t>> held;
};

struct Verdict {
  const char *reason = nullptr;
  uint64_t cycle = 0;
  // Beats that came in while none was taken out.
  size_t held = 0;
};

static uint64_t next_random(uint64_t &state) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

// When a port waits: at random, at a rate that changes every few cycles.
class Pauses {
  bool never;
  uint64_t state;
  unsigned share = 1000;

 public:
  Pauses(uint64_t seed, uint64_t port) : never(!seed), state((seed * 97 + port + 1) * 0x9E3779B97F4A7C15ull) {}

  bool goes() {
    static const unsigned shares[] = {100, 500, 900, 1000};
    if (never) return true;
    if (next_random(state) % 8 == 0) share = shares[next_random(state) % 4];
    return next_random(state) % 1000 < share;
  }

  uint32_t noise() { return never ? 0 : next_random(state) >> 16; }
};

class Machine {
  cxxrtl_design::p_dut top;
  cxxrtl::debug_items items;
  Port clock;

 public:
  uint64_t cycle = 0;

  explicit Machine(uint32_t mutant) {
    top.debug_info(&items, nullptr, "");
    clock = port("clk");
    *port("mutant").bits = mutant;
    *port("rst").bits = 1;
    tick();
    tick();
    *port("rst").bits = 0;
  }

  Port port(const std::string &name) {
    auto &item = items.at(name)[0];
    uint32_t *bits = item.next ? item.next : item.curr;
    return {bits, (item.width + 31) / 32, item.width};
  }

  // Outputs that a register drives are read where it stands, not where it goes.
  Port seen(const std::string &name) {
    auto &item = items.at(name)[0];
    return {item.curr, (item.width + 31) / 32, item.width};
  }

  bool has(const std::string &name) { return items.count(name); }

  void settle() { top.step(); }

  void tick() {
    *clock.bits = 0;
    top.step();
    *clock.bits = 1;
    top.step();
    *clock.bits = 0;
    cycle++;
  }
};

// One pulse for each host at a time, given while it is ready; a read is checked when it is back.
static Verdict hosts(Machine &machine, const std::vector<Host> &all, uint64_t seed) {
  Pauses pauses(seed, 99);
  static const char *kinds[] = {"rewind", "write", "advance", "fetch"};
  for (auto &host : all) {
    Port ready = machine.seen(host.name + "__ready");
    Port data = machine.port(host.name + "__data"), out = machine.seen(host.name + "__data_out");
    for (auto &pulse : host.pulses) {
      uint64_t started = machine.cycle;
      machine.settle();
      while (!(*ready.bits & 1)) {
        machine.tick();
        machine.settle();
        if (machine.cycle - started > 2000) return {"host hangs", machine.cycle};
      }
      if (pulse.kind == "check") {
        if (*out.bits != pulse.data) return {"read back", machine.cycle};
        continue;
      }
      if (pulse.kind == "low") {
        if ((*out.bits ^ pulse.data) & 1) return {"read back", machine.cycle};
        continue;
      }
      while (!pauses.goes()) machine.tick();
      *data.bits = pulse.data;
      for (auto kind : kinds)
        if (pulse.kind == kind) *machine.port(host.name + "__" + kind).bits = 1;
      machine.tick();
      for (auto kind : kinds) *machine.port(host.name + "__" + kind).bits = 0;
      *data.bits = pauses.noise();
    }
    // The last write takes its time; on the bus a frame cannot follow it at once.
    for (int k = 0; k < 8; k++) machine.tick();
  }
  return {};
}

struct Source {
  Port payload, valid, ready;
  Pauses pauses;
  size_t sent = 0;
  bool offered = false;
};

struct Sink {
  Port payload, valid, ready;
  Pauses pauses;
  size_t taken = 0;
  bool waiting = false;
  Words held;
};

static Verdict streams(Machine &machine, const Scenario &scenario, uint64_t limit) {
  uint64_t port = 0;
  std::vector<Source> sources;
  std::vector<Sink> sinks;
  for (auto &s : scenario.sources)
    sources.push_back({machine.port(s.name + "__payload"), machine.port(s.name + "__valid"),
                       machine.seen(s.name + "__ready"), Pauses(scenario.seed, port++)});
  for (auto &s : scenario.sinks)
    sinks.push_back({machine.seen(s.name + "__payload"), machine.seen(s.name + "__valid"),
                     machine.port(s.name + "__ready"), Pauses(scenario.seed, port++)});
  uint64_t idle = 0, started = machine.cycle;
  size_t held = 0;
  while (idle < 40) {
    if (machine.cycle > limit) return {"hangs", machine.cycle};
    bool finished = true;
    for (size_t k = 0; k < sources.size(); k++) {
      auto &s = sources[k];
      auto &beats = scenario.sources[k].beats;
      if (!s.offered && s.sent < beats.size()) s.offered = s.pauses.goes();
      *s.valid.bits = s.offered;
      // What is not valid is anything.
      for (size_t c = 0; c < s.payload.chunks; c++)
        s.payload.bits[c] = s.offered ? beats[s.sent][c] : s.pauses.noise() & s.payload.within(c);
      finished &= s.sent == beats.size();
    }
    // Sometimes nothing is taken until everything inside is full, or hardly anything.
    bool dammed = scenario.seed % 3 == 1 && machine.cycle - started < DAM;
    bool slow = scenario.seed % 5 == 2 && machine.cycle % 23;
    for (auto &s : sinks) *s.ready.bits = s.pauses.goes() && !dammed && !slow;
    machine.settle();
    if (scenario.seed % 2) {
      // Ready waits for valid.
      for (auto &s : sinks) *s.ready.bits &= *s.valid.bits & 1;
      machine.settle();
    }
    for (size_t k = 0; k < sinks.size(); k++) {
      auto &s = sinks[k];
      auto &expected = scenario.sinks[k];
      bool valid = *s.valid.bits & 1;
      Words now(s.payload.bits, s.payload.bits + s.payload.chunks);
      if (s.waiting && !valid) return {"valid revoked", machine.cycle};
      if (s.waiting && now != s.held) return {"payload changed", machine.cycle};
      s.waiting = valid && !*s.ready.bits;
      s.held = now;
      if (valid) {
        if (s.taken == expected.beats.size()) return {"beat too many", machine.cycle};
        for (size_t c = 0; c < now.size(); c++)
          if ((now[c] ^ expected.beats[s.taken][c]) & expected.masks[s.taken][c])
            return {"wrong beat", machine.cycle};
        if (*s.ready.bits) s.taken++;
      }
      finished &= s.taken == expected.beats.size();
    }
    for (size_t k = 0; k < sources.size(); k++) {
      auto &s = sources[k];
      if (s.offered && (*s.ready.bits & 1)) {
        s.sent++;
        s.offered = false;
        held += dammed;
      }
    }
    idle = finished ? idle + 1 : 0;
    machine.tick();
  }
  for (auto &s : sources) *s.valid.bits = 0;
  return {nullptr, machine.cycle, held};
}

static Verdict run(const Scenario &scenario, uint32_t mutant, uint64_t limit) {
  Machine machine(mutant);
  for (auto &[name, value] : scenario.held) *machine.port(name).bits = value;
  Verdict found = hosts(machine, scenario.loads, scenario.seed);
  if (found.reason) return found;
  found = streams(machine, scenario, limit);
  if (found.reason) return found;
  Verdict read = hosts(machine, scenario.reads, scenario.seed);
  return read.reason ? read : found;
}

static std::vector<Words> read_beats(std::istream &in, size_t count, size_t chunks) {
  std::vector<Words> beats(count, Words(chunks));
  for (auto &beat : beats)
    for (auto &chunk : beat) in >> chunk;
  return beats;
}

static std::vector<Host> read_hosts(std::istream &in) {
  size_t count;
  in >> count;
  std::vector<Host> all(count);
  for (auto &host : all) {
    size_t pulses;
    in >> host.name >> pulses;
    host.pulses.resize(pulses);
    for (auto &pulse : host.pulses) in >> pulse.kind >> pulse.data;
  }
  return all;
}

static Scenario read_scenario(std::istream &in) {
  Scenario scenario;
  size_t held, sources, sinks;
  in >> scenario.seed >> scenario.timed >> held;
  for (size_t k = 0; k < held; k++) {
    std::pair<std::string, uint32_t> pin;
    in >> pin.first >> pin.second;
    scenario.held.push_back(pin);
  }
  scenario.loads = read_hosts(in);
  scenario.reads = read_hosts(in);
  in >> sources;
  for (size_t k = 0; k < sources; k++) {
    Stream s;
    size_t count, chunks;
    in >> s.name >> count >> chunks;
    s.beats = read_beats(in, count, chunks);
    scenario.sources.push_back(s);
  }
  in >> sinks;
  for (size_t k = 0; k < sinks; k++) {
    Stream s;
    size_t count, chunks;
    in >> s.name >> count >> chunks;
    s.beats = read_beats(in, count, chunks);
    s.masks = read_beats(in, count, chunks);
    scenario.sinks.push_back(s);
  }
  return scenario;
}

int main(int argc, char **argv) {
  std::ifstream in(argv[1]);
  size_t mutants, count;
  in >> mutants >> count;
  std::vector<Scenario> scenarios;
  for (size_t k = 0; k < count; k++) scenarios.push_back(read_scenario(in));
  std::vector<Verdict> usual;
  for (auto &scenario : scenarios) {
    Verdict found = run(scenario, 0, 1000000);
    if (found.reason) {
      std::cout << "0 " << found.reason << " | " << usual.size() << " " << found.cycle << "\n";
      return 1;
    }
    usual.push_back(found);
  }
  for (size_t mutant = 1; mutant <= mutants; mutant++) {
    Verdict found;
    size_t k = 0;
    for (; k < scenarios.size() && !found.reason; k++) {
      found = run(scenarios[k], mutant, 3 * usual[k].cycle + 500);
      if (!found.reason && scenarios[k].timed && found.cycle > usual[k].cycle) found.reason = "slower";
      if (!found.reason && found.held < usual[k].held) found.reason = "holds less";
      if (found.reason) break;
    }
    std::cout << mutant << " " << (found.reason ? found.reason : "-") << " | " << k << " "
              << found.cycle << "\n";
  }
  return 0;
}
