import MeteringModel
import MeteringPorts
import Testing

/// Every kind, with the sentence that customer success reads aloud.
@Suite("Kinds of signals") struct RuleTests {
    static let catalog = """
        meters:
          - {key: tokens, event_type: llm, aggregation: sum, value: $.n, unit: token}
          - {key: calls, event_type: call, aggregation: count}
        features:
          - {key: tokens, type: metered, meter: tokens}
          - {key: calls, type: metered, meter: calls}
        plans:
          - key: pro
            currency: EUR
            fee: 49
            entitlements:
              tokens:
                {limit: 1000, period: month, enforcement: soft, thresholds: [80%, 100%, 120%],
                 price: {unit: "0.10", included: limit}}
          - key: business
            currency: EUR
            fee: 99
            entitlements:
              tokens:
                {limit: 5000, period: month, enforcement: soft,
                 price: {unit: "0.05", included: limit}}
          - key: strict
            entitlements:
              tokens: {limit: 1000, period: month, enforcement: hard, thresholds: [90%]}
          - key: free
            entitlements:
              tokens: {limit: 1000, period: month, enforcement: soft}
        """

    private func scene(_ buyers: [Buyer], now: String) throws -> Scene {
        try Scene(Self.catalog, buyers, now: now)
    }

    @Test("near limit: share, what is left, since the day on which it was reached")
    func nearLimit() async throws {
        let scene = try scene(
            [Buyer(id: "acme", owner: "kim"), Buyer(id: "hard", plan: "strict")],
            now: "2026-11-21T10:00:00Z")
        try scene.useDaily("acme", from: "2026-11-10", days: 9) { _ in 100 }
        try scene.useDaily("hard", from: "2026-11-10", days: 1) { _ in 1_005 }
        let found = try await scene.signals(.nearLimit)
        #expect(
            found.map(\.reason) == [
                "hard has used 1,005 of its 1,000 tokens (100.5 %) in the period that ends on "
                    + "30 Nov 2026; the limit is hard, so use is being stopped.",
                "acme has used 900 of its 1,000 tokens (90 %) in the period that ends on "
                    + "30 Nov 2026; 100 are left.",
            ])
        let acme = try #require(found.last)
        #expect(acme["severity"]?.text == "medium")
        #expect(found.first?["severity"]?.text == "critical")
        #expect(acme["owner"]?.text == "kim" && acme["plan"]?.text == "pro")
        #expect(acme["since"]?.text == "2026-11-17T00:00:00Z")
        #expect(acme.number("share_percent") == "90.00" || acme.number("share_percent") == "90")
        #expect(acme["periods"]?.elements?.count == 1)
    }

    @Test("projected exhaustion: an expected day with its range, in the customer's zone")
    func exhaustion() async throws {
        let scene = try scene(
            [
                Buyer(id: "acme", plan: "strict", zone: "Europe/Berlin"), Buyer(id: "new"),
                Buyer(id: "calm"),
            ], now: "2026-11-11T00:00:00Z")
        // Ten even days of 60: 400 are left from the 11th on, a week at 60 a day.
        try scene.useDaily("acme", from: "2026-11-01", days: 10) { _ in 60 }
        try scene.useDaily("new", from: "2026-11-09", days: 2) { _ in 300 }
        try scene.useDaily("calm", from: "2026-11-01", days: 10) { _ in 5 }
        let found = try await scene.signals(.projectedExhaustion)
        #expect(found.count == 1)
        let acme = try #require(found.first)
        #expect(
            acme.reason
                == "acme has used 600 of its 1,000 tokens (60 %); at the mean of recent days, the "
                + "limit is reached on 17 Nov 2026.")
        #expect(acme["numbers"]?["method"]?.text == "run_rate")
        #expect(acme["numbers"]?["expected_at"]?.text?.hasPrefix("2026-11-17T1") ?? false)
        #expect(acme["severity"]?.text == "high")
    }

    @Test("projected exhaustion: uneven days make a range") func range() async throws {
        let scene = try scene([Buyer(id: "acme")], now: "2026-11-21T00:00:00Z")
        try scene.useDaily("acme", from: "2026-10-19", days: 33) { day in
            [30, 40, 50, 35, 45, 5, 0][day % 7] + Int64(day * 7 % 11)
        }
        let found = try #require(try await scene.signals(.projectedExhaustion).first)
        #expect(found["numbers"]?["method"]?.text == "weekday_seasonal")
        #expect(found.reason.contains("going on as on the weekdays of the last four weeks"))
        #expect(found["numbers"]?["earliest_at"]?.text != nil)
    }

    @Test("upsell: over the limit in two of three periods, with the next larger plan")
    func overage() async throws {
        let scene = try scene([Buyer(id: "acme", plan: "free")], now: "2026-11-05T00:00:00Z")
        try scene.useDaily("acme", from: "2026-08-15", days: 1) { _ in 1_500 }
        try scene.useDaily("acme", from: "2026-09-15", days: 1) { _ in 900 }
        try scene.useDaily("acme", from: "2026-10-15", days: 1) { _ in 1_200 }
        let found = try #require(try await scene.signals(.upsell).first)
        #expect(
            found.reason
                == "acme went over its limit of tokens in 2 of the last 3 periods: 200 over 1,000 "
                + "in the period that ended on 31 Oct 2026 and 500 over 1,000 in the period that "
                + "ended on 31 Aug 2026; the next larger plan is business.")
        #expect(found.number("overage") == "700")
        #expect(found["severity"]?.text == "medium")
    }

    @Test("upsell: another plan would have cost less, to the cent") func cheaper() async throws {
        let scene = try scene(
            [
                Buyer(id: "acme"), Buyer(id: "small"), Buyer(id: "yearly", frequency: "annual"),
            ], now: "2026-11-05T00:00:00Z")
        // pro: 49 + 1,500 × 0.10 = 199. business: 99, all included.
        try scene.useDaily("acme", from: "2026-10-15", days: 1) { _ in 2_500 }
        // pro: 49 + 10 × 0.10 = 50: cheaper than 99.
        try scene.useDaily("small", from: "2026-10-15", days: 1) { _ in 1_010 }
        // Fees by the year: pro 49 / 12 + 20 = 24.08; business 99 / 12 = 8.25.
        try scene.useDaily("yearly", from: "2026-10-15", days: 1) { _ in 1_200 }
        let found = try await scene.signals(.upsell)
        #expect(
            found.map(\.reason) == [
                "For the month that ended on 31 Oct 2026, yearly owes 24.08 EUR on plan pro, "
                    + "20.00 EUR of it for usage; on plan business it would have been 8.25 EUR, "
                    + "15.83 EUR less.",
                "For the month that ended on 31 Oct 2026, acme owes 199.00 EUR on plan pro, "
                    + "150.00 EUR of it for usage; on plan business it would have been 99.00 EUR, "
                    + "100.00 EUR less.",
            ])
        #expect(found.allSatisfy { $0["severity"]?.text == "high" && $0["feature"] == nil })
    }

    @Test("churn risk: silence, falling use, low use") func churn() async throws {
        let scene = try scene(
            [
                Buyer(id: "silent"), Buyer(id: "falling"), Buyer(id: "low"), Buyer(id: "steady"),
                Buyer(id: "fresh"),
            ], now: "2026-11-20T06:00:00Z")
        try scene.useDaily("silent", from: "2026-09-25", days: 30) { _ in 20 }
        try scene.useDaily("falling", from: "2026-09-25", days: 56) { $0 < 28 ? 30 : 9 }
        try scene.useDaily("low", from: "2026-08-01", days: 112) { _ in 1 }
        try scene.useDaily("steady", from: "2026-08-01", days: 112) { _ in 20 }
        // Ten days of use are no habit.
        try scene.useDaily("fresh", from: "2026-10-12", days: 10) { _ in 50 }
        let found = try await scene.signals(.churnRisk)
        #expect(
            found.map(\.reason) == [
                "silent has used no tokens for 26 days: the last was on 24 Oct 2026, after use on "
                    + "30 of the 42 days before.",
                "fresh has used no tokens for 29 days: the last was on 21 Oct 2026, after use on "
                    + "10 of the 42 days before.",
                "falling used 252 tokens in the last four weeks, after 840 in the four weeks "
                    + "before: 70 % less.",
                "low used no more than 3.1 % of its tokens in each of the last 3 periods (31, 30 "
                    + "and 31, newest first).",
            ])
    }

    @Test("anomaly: today so far against the same part of earlier days") func anomaly() async throws
    {
        let scene = try scene(
            [Buyer(id: "spike"), Buyer(id: "drop"), Buyer(id: "usual")],
            now: "2026-11-20T13:10:00Z")
        var uses: [Scene.Use] = []
        for customer in ["spike", "drop", "usual"] {
            for day in 1...20 as ClosedRange<Int64> {
                // A tenth in the morning, the rest at 18:00.
                let start = try at("2026-11-20T00:00:00Z").adding(seconds: -day * 86_400)
                uses.append(.init(customer: customer, units: 60, at: start.adding(seconds: 36_000)))
                uses.append(.init(customer: customer, units: 20, at: start.adding(seconds: 64_800)))
            }
        }
        let today = try at("2026-11-20T10:00:00Z")
        uses.append(.init(customer: "spike", units: 900, at: today))
        uses.append(.init(customer: "usual", units: 62, at: today))
        try scene.use(uses)
        let found = try await scene.signals(.anomaly)
        #expect(
            found.map(\.reason) == [
                "spike has used 900 tokens today (20 Nov 2026), far more than the 60 that are usual "
                    + "by this time of day over the last 20 days, 1500 % of what is usual.",
                "drop has used 0 tokens today (20 Nov 2026), far less than the 60 that are usual by "
                    + "this time of day over the last 20 days.",
            ])
    }

    @Test("anomaly: the first minutes of a day are held against its whole first hour")
    func firstHour() async throws {
        let scene = try scene(
            [Buyer(id: "early"), Buyer(id: "flood")], now: "2026-11-20T00:20:00Z")
        var uses: [Scene.Use] = []
        for day in 0...20 as ClosedRange<Int64> {
            let start = try at("2026-11-20T00:10:00Z").adding(seconds: -day * 86_400)
            uses.append(.init(customer: "early", units: 50, at: start))
            uses.append(.init(customer: "flood", units: day == 0 ? 500 : 50, at: start))
        }
        try scene.use(uses)
        let found = try await scene.signals(.anomaly)
        #expect(found.compactMap { $0["customer"]?.text } == ["flood"])
    }

    @Test("leakage: use without entitlement, and over a soft limit without a price")
    func leakage() async throws {
        let scene = try scene(
            [
                Buyer(id: "nobody", plan: nil), Buyer(id: "ended", end: "2026-11-10T00:00:00Z"),
                Buyer(id: "over", plan: "free"), Buyer(id: "paying"),
                Buyer(id: "head", plan: nil), Buyer(id: "child", parent: "head"),
                Buyer(id: "trial", plan: nil, environment: "test"),
            ], now: "2026-11-20T10:00:00Z")
        try scene.useDaily("nobody", from: "2026-11-17", days: 3, meter: "calls") { _ in 4 }
        try scene.useDaily("ended", from: "2026-11-15", days: 1) { _ in 70 }
        try scene.useDaily("over", from: "2026-11-15", days: 1) { _ in 1_250 }
        try scene.useDaily("paying", from: "2026-11-15", days: 1) { _ in 1_250 }
        try scene.useDaily("child", from: "2026-11-15", days: 1) { _ in 10 }
        try scene.useDaily("trial", from: "2026-11-15", days: 1) { _ in 10 }
        let found = try await scene.signals(.leakage)
        #expect(
            Set(found.map(\.reason)) == [
                "nobody has used 3 of meter calls on 3 days of the last 7, last on 19 Nov 2026, "
                    + "and it has no entitlement to calls.",
                "ended has used 70 of meter tokens on 1 day of the last 7, last on 15 Nov 2026, "
                    + "and its entitlement to tokens has expired.",
                "over has used 250 tokens over its soft limit of 1,000 in the period that ends on "
                    + "30 Nov 2026, and plan free v1 has no price for them.",
            ])
    }
}
