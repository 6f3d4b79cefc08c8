import BillingExport
import MeteringModel
import MeteringPorts
import SQLBilling
import Synchronization
import Testing

@Suite("Sending meter events") struct MeterEventSendingTests {
    private let tokens = ReportedMeter(
        meter: "tokens", aggregation: .sum, scale: 0, eventName: "llm_tokens",
        windowSeconds: 3_600)
    private let start = Timestamp.at("2026-11-10T00:00:00Z")

    @Test("a settled window is told once, with its begin and an identifier of its own")
    func settledWindow() async throws {
        let bench = try ExportBench(now: "2026-11-10T01:10:00Z")
        let stripe = StripeStandIn(clock: bench.clock)
        let store = try bench.openStore()
        defer { store.close() }
        let planning = bench.planning(store, bench.source([tokens], ["acme"]), from: start)
        let sender = bench.sender(store, stripe)
        bench.use("acme", "tokens", 40, at: .at("2026-11-10T00:05:00Z"))
        bench.use("acme", "tokens", 2, at: .at("2026-11-10T00:59:00Z"))
        bench.use("acme", "tokens", 5, at: .at("2026-11-10T01:01:00Z"))
        #expect(try await planning.sweep() == 0)
        bench.advance(seconds: 600)
        #expect(try await planning.sweep() == 1)
        #expect(try await planning.sweep() == 0)
        #expect(try await sender.round() == 1)
        #expect(try await sender.round() == 0)
        let accepted = try #require(stripe.accepted.first)
        #expect(accepted.lane == "cus_acme/llm_tokens")
        #expect(accepted.value == 42)
        #expect(accepted.timestamp == start.seconds)
        #expect(accepted.identifier.hasSuffix(":acme:tokens:\(start.seconds):1"))
        let row = try #require(try store.meterEvent(accepted.identifier))
        #expect(row.state == .sent)
        #expect(row.callCount == 1)
        #expect(stripe.broken.isEmpty)
    }

    @Test("late usage is another revision, and usage taken back is set off in its month")
    func revisions() async throws {
        let bench = try ExportBench(now: "2026-11-10T02:20:00Z")
        let stripe = StripeStandIn(clock: bench.clock)
        let store = try bench.openStore()
        defer { store.close() }
        let planning = bench.planning(store, bench.source([tokens], ["acme"]), from: start)
        let sender = bench.sender(store, stripe)
        func go() async throws {
            try await planning.sweep()
            _ = try await sender.round()
        }
        bench.use("acme", "tokens", 10, at: start)
        try await go()
        bench.use("acme", "tokens", 3, at: start)
        try await go()
        #expect(stripe.accepted.map(\.value) == [10, 3])
        #expect(stripe.accepted.last?.identifier.hasSuffix(":2") == true)
        bench.use("acme", "tokens", -5, at: start)
        try await go()
        #expect(stripe.accepted.count == 2)
        #expect(
            try store.meterCredits(customer: nil, after: nil, limit: 10)
                == [
                    MeterCredit(
                        customer: "acme", meter: "tokens", month: .at("2026-11-01T00:00:00Z"),
                        units: 5)
                ])
        bench.use("acme", "tokens", 7, at: start.adding(seconds: 3_600))
        try await go()
        #expect(stripe.accepted.map(\.value) == [10, 3, 2])
        #expect(try store.meterCredits(customer: nil, after: nil, limit: 10).isEmpty)
        #expect(stripe.total("cus_acme/llm_tokens") == 15)
    }

    @Test("a refused event is listed with Stripe's words; others go on")
    func refused() async throws {
        let bench = try ExportBench(now: "2026-11-10T01:20:00Z")
        let stripe = StripeStandIn(clock: bench.clock)
        let store = try bench.openStore()
        defer { store.close() }
        let planning = bench.planning(
            store, bench.source([tokens], ["acme", "unknown"]), from: start)
        for customer in ["acme", "unknown"] {
            bench.use(CustomerID(customer), "tokens", 4, at: start)
        }
        try await planning.sweep()
        _ = try await bench.sender(store, stripe).round()
        #expect(stripe.total("cus_acme/llm_tokens") == 4)
        let refused = try store.meterEvents(state: .refused, customer: nil, after: 0, limit: 10)
        #expect(refused.map(\.draft.customer) == ["unknown"])
        #expect(refused.first?.answer?.contains("No such customer") == true)
    }

    @Test("what may have been taken is repeated for 23 hours, then left to people")
    func uncertain() async throws {
        let bench = try ExportBench(now: "2026-11-10T01:20:00Z")
        let isAway = Atomic(true)
        let stripe = StripeStandIn(clock: bench.clock) {
            isAway.load(ordering: .relaxed) ? .timeoutAfter : nil
        }
        let store = try bench.openStore()
        defer { store.close() }
        let planning = bench.planning(store, bench.source([tokens], ["acme"]), from: start)
        let sender = bench.sender(store, stripe)
        bench.use("acme", "tokens", 4, at: start)
        try await planning.sweep()
        _ = try await sender.round()
        bench.advance(seconds: 22 * 3_600)
        _ = try await sender.round()
        let callCount = stripe.callCount
        #expect(callCount == 2)
        bench.advance(seconds: 3_600)
        _ = try await sender.round()
        #expect(stripe.callCount == callCount)
        let row = try #require(
            try store.meterEvents(state: .uncertain, customer: nil, after: 0, limit: 10).first)
        #expect(stripe.total("cus_acme/llm_tokens") == 4)
        try store.resolve(
            row.draft.identifier,
            MeterEventResolution(verdict: .sent, by: "ada", reason: "seen there", at: bench.now),
            replacement: nil)
        isAway.store(false, ordering: .relaxed)
        try await planning.sweep()
        _ = try await sender.round()
        #expect(stripe.total("cus_acme/llm_tokens") == 4)
        #expect(throws: BillingStoreError.self) {
            try store.resolve(
                row.draft.identifier,
                MeterEventResolution(verdict: .sent, by: "ada", reason: "again", at: bench.now),
                replacement: nil)
        }
    }

    @Test("usage older than Stripe takes is listed, and the edge of it is told inside its window")
    func tooOld() async throws {
        let bench = try ExportBench(now: "2026-11-10T01:20:00Z")
        let stripe = StripeStandIn(clock: bench.clock)
        let store = try bench.openStore()
        defer { store.close() }
        var daily = tokens
        daily.windowSeconds = 86_400
        let from = Timestamp.at("2026-10-01T00:00:00Z")
        let planning = bench.planning(store, bench.source([daily], ["acme"]), from: from)
        bench.use("acme", "tokens", 4, at: .at("2026-10-02T10:00:00Z"))
        // 35 days back lies within this day.
        bench.use("acme", "tokens", 5, at: .at("2026-10-06T10:00:00Z"))
        try await planning.sweep()
        _ = try await bench.sender(store, stripe).round()
        let old = try store.meterEvents(state: .tooOld, customer: nil, after: 0, limit: 10)
        #expect(old.map(\.draft.value) == [4])
        let accepted = try #require(stripe.accepted.first)
        #expect(accepted.value == 5)
        let day = Timestamp.at("2026-10-06T00:00:00Z")
        #expect(accepted.timestamp > day.seconds)
        #expect(accepted.timestamp < day.seconds + 86_400)
        #expect(stripe.broken.isEmpty)
    }

    @Test("a wrong key stops everything for a while, and refuses nothing")
    func wrongKey() async throws {
        let bench = try ExportBench(now: "2026-11-10T01:20:00Z")
        let store = try bench.openStore()
        defer { store.close() }
        let planning = bench.planning(store, bench.source([tokens], ["acme"]), from: start)
        bench.use("acme", "tokens", 4, at: start)
        try await planning.sweep()
        let isWrong = Atomic(true)
        let stripe = StripeStandIn(clock: bench.clock)
        let sender = MeterEventSender(
            store: store,
            transport: { (request) async throws(StripeTransportError) in
                if isWrong.load(ordering: .relaxed) {
                    let body = "{\"error\":{\"message\":\"Invalid API Key: sk_live_abc\"}}"
                    return StripeResponse(status: 401, body: Array(body.utf8))
                }
                return try await stripe.transport(request)
            },
            settings: MeterEventSettings(from: start), clock: bench.clock,
            counters: ExportCounters(), logger: bench.logger, random: { _ in 0 })
        _ = try await sender.round()
        #expect(sender.trouble != nil)
        #expect(try await sender.round() == 0)
        let row = try #require(
            try store.meterEvents(state: .planned, customer: nil, after: 0, limit: 1).first)
        #expect(row.unknownSince == nil)
        #expect(row.answer?.contains("sk_live") == false)
        isWrong.store(false, ordering: .relaxed)
        bench.advance(seconds: 600)
        _ = try await sender.round()
        #expect(stripe.total("cus_acme/llm_tokens") == 4)
        #expect(sender.trouble == nil)
    }
}
