import Entitlements
import MeteringModel
import MeteringPorts
import SQLBilling
import Testing

@testable import Billing

/// Statements of contracts that are not the plain ones.
@Suite("Statements") struct ContractTests {
    /// 0.01 for each unit.
    private static let cent = UsagePrice(model: .perUnit(decimal("0.01")))

    @Test("anniversary quotas are billed in the month that their period ends in")
    func anniversary() async throws {
        let shop = try Shop(
            PriceList.catalog(
                plans: [PriceList.plan("pro", 1, Self.cent, fee: "31", anchor: .subscription)]),
            now: "2026-01-15T00:00:00Z")
        try shop.customer("acme", zone: "UTC")
        try shop.subscribe("acme", plan: "pro", start: "2026-01-31T10:00:00Z")
        // Periods: 31 January, 28 February, 31 March, each 10:00.
        try shop.use("a", "acme", 100, "2026-02-28T09:59:59Z")
        try shop.use("b", "acme", 10, "2026-02-28T10:00:00Z")
        try shop.use("c", "acme", 1, "2026-03-31T10:00:00Z")
        shop.clock.set("2026-05-10T00:00:00Z")
        try await shop.round()
        func amounts(_ text: String) throws -> [Int64] {
            try shop.lines("acme", text).map(\.amount)
        }
        #expect(try amounts("2026-01") == [3_100])
        #expect(try amounts("2026-02") == [100, 3_100])
        #expect(try amounts("2026-03") == [10, 3_100])
        #expect(try amounts("2026-04") == [1, 3_100])
    }

    @Test(
        "daily quotas across a change of clocks and a leap day",
        arguments: [
            ("2026-10", "2026-10-25T00:30:00Z", "2026-09-30T22:00:00Z", "2026-11-04T00:00:00Z"),
            ("2028-02", "2028-02-29T22:30:00Z", "2028-01-31T23:00:00Z", "2028-03-04T00:00:00Z"),
        ])
    func daily(_ name: String, _ time: String, _ start: String, _ end: String) async throws {
        let price = UsagePrice(model: .perUnit(decimal("0.01")), included: .limit)
        let shop = try Shop(
            PriceList.catalog(
                plans: [
                    PriceList.plan("pro", 1, price, fee: nil, period: .day, limit: .finite(50))
                ]), now: "2026-01-15T00:00:00Z")
        try shop.customer("acme")
        try shop.subscribe("acme", plan: "pro", start: start)
        var expected: Int64 = 0
        let month = month(name).period(zone: try #require(Zones.rules("Europe/Berlin")))
        var instant = month.start
        var day: Int64 = 0
        // Every 7 hours, so that days differ in how many events they have.
        var perDay: [Timestamp: Int64] = [:]
        let rule = PeriodRule(unit: .day, anchor: .calendar)
        while instant < month.end {
            day += 1
            try shop.use("e\(day)", "acme", 20 + day % 3, instant.rfc3339())
            let zone = try #require(Zones.rules("Europe/Berlin"))
            perDay[rule.period(containing: instant, zone: zone).start, default: 0] += 20 + day % 3
            instant = instant.adding(seconds: 7 * 3_600)
        }
        try shop.use("extra", "acme", 1_000, time)
        let zone = try #require(Zones.rules("Europe/Berlin"))
        perDay[rule.period(containing: at(time), zone: zone).start, default: 0] += 1_000
        for used in perDay.values { expected += max(0, used - 50) }
        shop.clock.set(end)
        try await shop.round()
        #expect(try shop.billed("acme")[.eur] == expected)
        let days = try shop.lines("acme", name)
        #expect(days.count == perDay.count)
        #expect(days.count == (name == "2026-10" ? 31 : 29))
    }

    @Test("two currencies one after the other") func currencies() async throws {
        let shop = try Shop(
            PriceList.catalog(
                plans: [
                    PriceList.plan("euro", 1, Self.cent, fee: "30"),
                    PriceList.plan("dollar", 1, Self.cent, fee: "60", currency: .usd),
                ]), now: "2026-09-01T00:00:00Z")
        try shop.customer("acme", zone: "UTC")
        try shop.subscribe(
            "acme", plan: "euro", start: "2026-09-01T00:00:00Z",
            more: #","end":"2026-09-16T00:00:00Z""#, subscription: "first")
        try shop.subscribe(
            "acme", plan: "dollar", start: "2026-09-16T00:00:00Z",
            more: #","anchor":"2026-09-01T00:00:00Z""#, subscription: "second")
        try shop.use("a", "acme", 500, "2026-09-10T00:00:00Z")
        try shop.use("b", "acme", 700, "2026-09-20T00:00:00Z")
        shop.clock.set("2026-10-04T00:00:00Z")
        try await shop.round()
        #expect(
            try shop.statements("acme").map(\.totals) == [
                [
                    MoneyTotal(currency: .eur, amount: 3_000 - 1_500 + 500),
                    MoneyTotal(currency: .usd, amount: 3_000 + 700),
                ]
            ])
        #expect(try await shop.check()["mismatch_count"]?.integer == 0)
    }

    @Test("a price above bills the whole tree, and two prices are reported") func tree()
        async throws
    {
        let shop = try Shop(
            PriceList.catalog(
                plans: [
                    PriceList.plan("top", 1, Self.cent, fee: nil),
                    PriceList.plan("team", 1, nil, fee: "5"),
                    PriceList.plan("twice", 1, Self.cent, fee: nil),
                ]), now: "2026-09-01T00:00:00Z")
        try shop.customer("org", zone: "UTC")
        for child in ["a", "b"] {
            try shop.customer(CustomerID(child), zone: "UTC", more: #","parent":"org""#)
        }
        try shop.subscribe("org", plan: "top", start: "2026-09-01T00:00:00Z")
        try shop.subscribe("a", plan: "team", start: "2026-09-01T00:00:00Z")
        try shop.subscribe("b", plan: "twice", start: "2026-09-01T00:00:00Z")
        try shop.use("e1", "a", 300, "2026-09-10T00:00:00Z")
        try shop.use("e2", "b", 400, "2026-09-10T00:00:00Z")
        try shop.use("e3", "org", 1, "2026-09-10T00:00:00Z")
        shop.clock.set("2026-10-04T00:00:00Z")
        try await shop.round()
        #expect(try shop.billed("org") == [.eur: 701])
        #expect(try shop.billed("a") == [.eur: 500])
        #expect(try shop.billed("b") == [.eur: 400])
        let kinds = try await shop.check()["mismatches"]?.elements?.compactMap {
            "\($0["kind"]?.text ?? "") \($0["customer"]?.text ?? "")"
        }
        #expect(kinds == ["over_limit_without_price a", "priced_at_two_levels b"])
    }

    @Test("what is not production is never billed") func sandbox() async throws {
        let shop = try Shop(
            PriceList.catalog(plans: [PriceList.plan("pro", 1, Self.cent, fee: "30")]),
            now: "2026-09-01T00:00:00Z")
        try shop.customer("trial", zone: "UTC", more: #","environment":"sandbox""#)
        try shop.customer(
            "acme", zone: "UTC",
            more: #","subjects":[{"id":"live"},{"id":"probe","environment":"sandbox"}]"#)
        for id in ["trial", "acme"] {
            try shop.subscribe(CustomerID(id), plan: "pro", start: "2026-09-01T00:00:00Z")
        }
        try #require(shop.book.current.load().customerIndex("acme#sandbox") != nil)
        try shop.use("e1", "trial", 300, "2026-09-10T00:00:00Z")
        try shop.use("e2", "acme#sandbox", 300, "2026-09-10T00:00:00Z")
        try shop.use("e3", "acme", 7, "2026-09-10T00:00:00Z")
        shop.clock.set("2026-10-04T00:00:00Z")
        try await shop.round()
        #expect(try shop.billed("acme") == [.eur: 3_007])
        let all = try shop.store.statements(afterSequence: 0, limit: 10)
        #expect(all.map(\.customer) == ["acme"])
    }

    @Test("seats and add-ons, changed in a closed month and undone") func seats() async throws {
        let addOn = AddOnDefinition(
            key: "support", entitlements: [:], currency: .eur,
            fee: RecurringPrice(amount: decimal("12")))
        let shop = try Shop(
            PriceList.catalog(
                plans: [PriceList.plan("pro", 1, nil, fee: "30", seatPrice: "3")],
                addOns: [addOn]), now: "2026-09-01T00:00:00Z")
        try shop.customer("acme", zone: "UTC")
        try shop.subscribe(
            "acme", plan: "pro", start: "2026-09-01T00:00:00Z",
            more: #","seats":{"editors":25},"add_ons":[{"key":"support","quantity":2}]"#)
        shop.clock.set("2026-10-05T00:00:00Z")
        try await shop.round()
        let whole: Int64 = 3_000 + 25 * 300 + 2 * 1_200
        #expect(try shop.billed("acme") == [.eur: whole])
        try shop.change(
            "acme", #"{"seats":{"editors":60}}"#, from: "2026-09-16T00:00:00Z",
            request: "more-seats")
        try await shop.round()
        // 35 seats more for half of September.
        #expect(try shop.billed("acme") == [.eur: whole + 35 * 150])
        #expect(try await shop.check()["mismatch_count"]?.integer == 0)
        try shop.book.undo("more-seats", at: shop.clock.now)
        try await shop.round()
        #expect(try shop.billed("acme") == [.eur: whole])
        let check = try await shop.check()
        #expect(check["mismatch_count"]?.integer == 0, "\(check.canonicalText)")
        let corrections = try shop.store.pendingLines("acme").compactMap(\.correction)
        #expect(
            corrections.map { $0.causes.map(\.id) } == [["more-seats"], ["undo-more-seats"]])
        #expect(corrections.map(\.amountAfter) == [35 * 150, 0])
    }

    @Test("an undone change of a price reaches months that had no statement") func undonePrice()
        async throws
    {
        let addOn = AddOnDefinition(
            key: "support", entitlements: [:], currency: .eur,
            fee: RecurringPrice(amount: decimal("12")))
        let shop = try Shop(
            PriceList.catalog(
                plans: [PriceList.plan("bare", 1, nil, fee: nil, currency: nil)],
                addOns: [addOn]), now: "2026-09-01T00:00:00Z")
        try shop.customer("acme", zone: "UTC")
        try shop.book.change(
            .addOn, "support", nil, json(#"{"fee":null,"currency":null}"#),
            from: at("2026-08-01T00:00:00Z"), request: "give-away", at: shop.clock.now)
        try shop.subscribe(
            "acme", plan: "bare", start: "2026-09-01T00:00:00Z",
            more: #","add_ons":[{"key":"support","quantity":2}]"#)
        shop.clock.set("2026-10-05T00:00:00Z")
        try await shop.round()
        #expect(try shop.statements("acme").isEmpty)
        try shop.book.undo("give-away", at: shop.clock.now)
        try await shop.round()
        #expect(try shop.billed("acme") == [.eur: 2_400])
        #expect(try await shop.check()["drift_count"]?.integer == 0)
    }

    @Test("a plan that costs nothing is neither unpaid nor paid too much") func free() async throws
    {
        let shop = try Shop(
            PriceList.catalog(plans: [PriceList.plan("free", 1, nil, fee: "0")]),
            now: "2026-09-01T00:00:00Z")
        try shop.customer("acme", zone: "UTC")
        try shop.subscribe("acme", plan: "free", start: "2026-09-01T00:00:00Z")
        shop.clock.set("2026-10-05T00:00:00Z")
        try await shop.round()
        let check = try await shop.check()
        #expect(check["mismatch_count"]?.integer == 0, "\(check.canonicalText)")
    }

    @Test("what is paid once is neither unpaid nor paid too much") func once() async throws {
        let shop = try Shop(
            PriceList.catalog(plans: [PriceList.plan("pro", 1, nil, fee: "30")]),
            now: "2026-09-01T00:00:00Z")
        try shop.customer("acme", zone: "UTC")
        try shop.subscribe(
            "acme", plan: "pro", start: "2026-09-01T00:00:00Z",
            more: #","billing_frequency":"once""#)
        shop.clock.set("2026-11-05T00:00:00Z")
        try await shop.round()
        #expect(try shop.billed("acme") == [.eur: 3_000])
        let check = try await shop.check()
        #expect(check["mismatch_count"]?.integer == 0, "\(check.canonicalText)")
    }

    @Test(
        "a customer that moves to another zone pays each cycle once",
        arguments: ["Pacific/Honolulu", "UTC"], [false, true])
    func moves(_ zone: String, _ isOthersFirst: Bool) async throws {
        let shop = try Shop(
            PriceList.catalog(plans: [PriceList.plan("pro", 1, nil, fee: "30")]),
            now: "2026-07-15T00:00:00Z")
        if isOthersFirst {
            // The zone is known and closed before the customer comes to it.
            for (id, zone) in [("east", "Pacific/Kiritimati"), ("west", zone)] {
                try shop.customer(CustomerID(id), zone: zone)
                try shop.subscribe(CustomerID(id), plan: "pro", start: "2026-07-15T00:00:00Z")
            }
            shop.clock.set("2026-11-10T00:00:00Z")
            try await shop.round()
        }
        try shop.customer("acme", zone: "Pacific/Kiritimati")
        // Midnight of September 1 there.
        try shop.subscribe("acme", plan: "pro", start: "2026-08-31T10:00:00Z")
        shop.clock.set("2026-11-10T00:00:00Z")
        try await shop.round()
        try shop.book.change(
            .customer, "acme", "acme", json(#"{"id":"acme","time_zone":"\#(zone)"}"#),
            request: "move", at: shop.clock.now, publishes: true)
        try await shop.round()
        shop.clock.set("2026-12-10T00:00:00Z")
        try await shop.round()
        let lines =
            try ["2026-08", "2026-09", "2026-10", "2026-11", "2026-12"]
            .flatMap { try shop.lines("acme", $0) } + shop.store.pendingLines("acme")
        var paid: [String: Int64] = [:]
        for line in lines { paid[line.key, default: 0] += line.amount }
        #expect(paid.values.allSatisfy { $0 == 0 || $0 == 3_000 }, "\(paid)")
        let check = try await shop.check()
        #expect(check["drift_count"]?.integer == 0, "\(check.canonicalText)")
    }
}
