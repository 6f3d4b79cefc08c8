import BillingExport
import MeteringModel
import MeteringPorts
import SQLBilling
import Synchronization
import Testing

/// Whatever Stripe does and wherever the process ends, what Stripe accepted is the usage.
@Suite("Meter events under faults") struct MeterEventPropertyTests {
    private static let customers: [CustomerID] = ["acme", "umbra: corp", "zeta"]
    private static let meters = [
        ReportedMeter(
            meter: "calls", aggregation: .count, scale: 0, eventName: "calls",
            windowSeconds: 3_600),
        ReportedMeter(
            meter: "gigabytes", aggregation: .sum, scale: 2, eventName: "gb",
            windowSeconds: 86_400),
    ]

    @Test("the sum of what was accepted is the usage in whole units", arguments: 1...6)
    func sums(seed: UInt64) async throws {
        let random = SharedRandom(seed: seed)
        let bench = try ExportBench(now: "2026-10-28T00:00:00Z")
        let from = bench.now
        let isCalm = Atomic(false)
        let stripe = StripeStandIn(
            clock: bench.clock, refusesRepetitions: seed % 2 == 0,
            fault: {
                if isCalm.load(ordering: .relaxed) || random.below(3) > 0 { return nil }
                return StripeStandIn.Fault.allCases[Int(random.below(7))]
            })
        let source = bench.source(Self.meters, Self.customers)
        var store = try bench.openStore()
        for _ in 0..<60 {
            for _ in 0..<random.below(5) { useSome(bench, random, from: from) }
            bench.advance(seconds: random.below(10) == 0 ? 90_000 : random.below(4_000))
            // Ends the process after so many writes, in the middle of whatever it does.
            let mortal = MortalStore(store, writeCountMax: random.below(40))
            do {
                try await bench.planning(mortal, source, from: from).sweep()
                _ = try await bench.sender(mortal, stripe).round()
            } catch {}
            if mortal.isDead {
                store.close()
                store = try bench.openStore()
            }
            try settleByHand(store, stripe, bench)
        }
        isCalm.store(true, ordering: .relaxed)
        // Everything settles: the last window, then what waits for its next call.
        bench.advance(seconds: 90_000)
        try await bench.planning(store, source, from: from).sweep()
        for _ in 0..<6 {
            _ = try await bench.sender(store, stripe).round()
            try settleByHand(store, stripe, bench)
            bench.advance(seconds: 3_600)
        }
        defer { store.close() }
        #expect(stripe.broken.isEmpty, "seed \(seed)")
        for customer in Self.customers {
            for meter in Self.meters {
                let credits = try store.meterCredits(customer: customer, after: nil, limit: 100)
                let credit = credits.filter { $0.meter == meter.meter }.reduce(0) { $0 + $1.units }
                let used = bench.usage(customer, meter.meter).values.reduce(0, +)
                let whole = used.floorDivided(by: meter.scale == 0 ? 1 : 100)
                let lane = "cus_\(customer)/\(meter.eventName)"
                #expect(stripe.total(lane) - credit == whole, "seed \(seed), \(lane)")
            }
        }
    }

    private func useSome(_ bench: ExportBench, _ random: SharedRandom, from: Timestamp) {
        let customer = Self.customers[Int(random.below(3))]
        let meter = Self.meters[Int(random.below(2))].meter
        let age = random.below(max(1, min(bench.now.seconds - from.seconds, 3 * 86_400)))
        let instant = bench.now.adding(seconds: -age)
        let hour = Timestamp(seconds: instant.seconds.floorDivided(by: 3_600) * 3_600)
        let there = bench.usage(customer, meter)[hour] ?? 0
        let units = random.below(5) == 0 ? -random.below(there + 1) : random.below(700)
        bench.use(customer, meter, units, at: instant)
    }

    /// People look at what Stripe has, and say so.
    private func settleByHand(
        _ store: SQLBilling, _ stripe: StripeStandIn, _ bench: ExportBench
    ) throws {
        let identifier = MeterEventIdentifier(hash: bench.hash)
        for row in try store.meterEvents(state: .uncertain, customer: nil, after: 0, limit: 1_000) {
            let isThere = stripe.accepted.contains { $0.identifier == row.draft.identifier }
            let resolver = MeterEventResolver(store: store, identifier: identifier)
            try resolver.resolve(
                row.draft.identifier, isThere ? .sent : .resend, by: "ada", reason: "looked",
                at: bench.now)
        }
    }
}

/// Seeded numbers that several tasks may draw.
final class SharedRandom: Sendable {
    private let state: Mutex<UInt64>
    init(seed: UInt64) { state = Mutex(seed &* 0x9E37_79B9_7F4A_7C15) }

    /// 0 up to, and without, `bound`; SplitMix64.
    func below(_ bound: Int64) -> Int64 {
        let word = state.withLock { state in
            state &+= 0x9E37_79B9_7F4A_7C15
            var word = state
            word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
            word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
            return word ^ (word >> 31)
        }
        return Int64(word % UInt64(max(1, bound)))
    }
}
