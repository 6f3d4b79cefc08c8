import Entitlements
import MeteringModel
import MeteringPorts
import SQLBilling
import Testing

@testable import Billing

/// Whatever happens in whatever order, and wherever the process is killed: what was billed adds up
/// to what the months come to in the end.
@Suite("Random histories") struct RandomHistoryTests {
    private struct Seeded: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            // SplitMix64 (Steele, Lea and Flood 2014).
            state &+= 0x9e37_79b9_7f4a_7c15
            var word = state
            word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
            word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
            return word ^ (word >> 31)
        }
    }

    /// One history: what has happened so far, and chance.
    private final class History {
        let shop: Shop
        var random: Seeded
        var number = 0
        var changes: [String] = []
        var faulty: FaultyStore?
        let start = at("2026-07-10T09:30:00Z")

        init(seed: UInt64) throws {
            random = Seeded(state: seed)
            let model = Reckoning.Model.allCases.randomElement(using: &random) ?? .unit
            let unit = [PeriodUnit.day, .week, .month, .quarter].randomElement(using: &random)
            let price = PriceList.price(model, factor: 1)
            let dearer = PriceList.price(model, factor: 2)
            shop = try Shop(
                PriceList.catalog(
                    plans: [
                        PriceList.plan(
                            "pro", 2, dearer, fee: "45", period: unit ?? .month,
                            anchor: .subscription, seatPrice: "7")
                    ],
                    past: [
                        PriceList.plan(
                            "pro", 1, price, fee: "30", period: unit ?? .month,
                            anchor: .subscription, seatPrice: "3.33")
                    ]), now: "2026-07-10T10:00:00Z")
            try shop.customer("acme")
            try shop.subscribe("acme", plan: "pro", start: "2026-07-10T09:30:00Z")
        }

        private func past() -> Timestamp {
            let seconds = shop.clock.now.seconds - start.seconds
            return start.adding(seconds: Int64.random(in: 0...max(1, seconds), using: &random))
        }

        func step() async throws {
            number += 1
            switch Int.random(in: 0..<10, using: &random) {
            case 0...3:
                try shop.usage.record(
                    "e\(number)", "acme", Int64.random(in: 1...900, using: &random), past(),
                    now: shop.clock.now)
            case 4:
                if let event = shop.usage.events.randomElement(using: &random) {
                    try shop.usage.void(event.id, now: shop.clock.now)
                }
            case 5:
                let version = Int.random(in: 1...2, using: &random)
                try change(#"{"version":\#(version)}"#)
            case 6:
                let seats = Int.random(in: 0...40, using: &random)
                try change(#"{"seats":{"editors":\#(seats)}}"#)
            case 7:
                if let request = changes.popLast() {
                    try shop.book.undo(request, at: shop.clock.now)
                    try shop.usage.restate(now: shop.clock.now)
                }
            case 8:
                let month = BillingMonth(
                    containing: shop.clock.now.adding(seconds: -30 * 86_400), zone: .utc)
                _ = try? await shop.service.perform(
                    BillingCommand(
                        operation: .close(month: month.description, customer: nil),
                        context: CommandContext(
                            principal: .local, requestID: "r\(number)", reason: "early"),
                        digest: ""))
            default:
                let days = Int64.random(in: 1...12, using: &random)
                shop.clock.set(shop.clock.now.adding(seconds: days * 86_400).rfc3339())
            }
            try await round()
        }

        private func change(_ patch: String) throws {
            changes.append("change-\(number)")
            let instant = Timestamp(seconds: past().seconds)
            try shop.change("acme", patch, from: instant.rfc3339(), request: "change-\(number)")
        }

        /// Sometimes the process is killed at one of the next writes.
        private func round() async throws {
            if faulty == nil, Int.random(in: 0..<3, using: &random) == 0 {
                let made = FaultyStore(
                    shop.store, failsAt: Int.random(in: 1...4, using: &random),
                    FaultyStore.Moment.allCases.randomElement(using: &random) ?? .after)
                faulty = made
                shop.restart(made)
            }
            do {
                try await shop.round()
            } catch {
                faulty = nil
                shop.restart()
                try await shop.round()
            }
        }
    }

    @Test("the sum is right in the end", arguments: 1...24)
    func sums(_ seed: UInt64) async throws {
        let history = try History(seed: seed)
        for _ in 0..<60 { try await history.step() }
        let shop = history.shop
        shop.restart()
        shop.clock.set(shop.clock.now.adding(seconds: 70 * 86_400).rfc3339())
        try await shop.round()
        let check = try await shop.check()
        #expect(check["drift_count"]?.integer == 0, "seed \(seed): \(check.canonicalText)")
        #expect(check["waiting_count"]?.integer == 0, "seed \(seed)")
        // Against all months rated in one go.
        let snapshot = shop.book.current.load()
        let customer = try #require(snapshot.billed("acme"))
        var due: Int64 = 0
        for statement in try shop.statements("acme") {
            let frame = MonthFrame(
                month: statement.month, zone: customer.zone,
                period: statement.month.period(zone: customer.zone),
                usage: statement.month.period(zone: customer.zone))
            due += try shop.engine.maker.draft(of: customer, frame, in: snapshot).lines
                .reduce(0) { $0 + $1.amount }
        }
        #expect(try shop.billed("acme")[.eur] ?? 0 == due, "seed \(seed)")
        let ids = try shop.statements("acme").flatMap {
            try shop.store.lines("acme", $0.month).map(\.id)
        }
        #expect(Set(ids).count == ids.count, "seed \(seed)")
    }
}
