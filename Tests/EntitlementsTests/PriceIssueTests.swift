import Entitlements
import MeteringModel
import MeteringPorts
import Testing

/// What no catalog and no contract with prices may say.
@Suite struct PriceIssueTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var path: String
        var part: String
        var bend: @Sendable (inout Catalog) throws -> Void
        init(
            _ path: String, _ part: String,
            _ bend: @escaping @Sendable (inout Catalog) throws -> Void
        ) {
            self.path = path
            self.part = part
            self.bend = bend
        }
        var testDescription: String { "\(path): \(part)" }
    }

    static let price = "plans.0.entitlements.tokens.price"

    static func tokens(
        period: PeriodUnit = .month, _ price: @escaping @Sendable () throws -> UsagePrice
    ) -> @Sendable (inout Catalog) throws -> Void {
        { catalog in
            catalog.plans[0].entitlements["tokens"] = .metered(
                .init(limit: .finite(1), period: period, price: try price()))
        }
    }

    static func graduated(
        _ tiers: [(Int64?, String)]
    ) -> @Sendable (inout Catalog) throws -> Void {
        tokens {
            UsagePrice(
                model: .graduated(
                    try tiers.map { PriceTier(upTo: $0.0, unit: try decimal($0.1)) }))
        }
    }

    static func perUnit(_ text: String) throws -> UsagePrice {
        UsagePrice(model: .perUnit(try decimal(text)))
    }

    static let cases: [Case] = [
        Case("\(price).unit", "must not be negative", tokens { try perUnit("-1") }),
        Case(
            "\(price).flat", "must not be negative",
            tokens { .init(model: .flat(try decimal("-1"))) }),
        Case(
            "\(price).unit", "at most 12 decimal places", tokens { try perUnit("0.0000000000001") }),
        Case("\(price).unit", "must be below", tokens { try perUnit("1000000000000") }),
        Case("\(price).graduated", "at least one", graduated([])),
        Case(
            "\(price).graduated.1.up_to", "must ascend",
            graduated([(10, "1"), (5, "1"), (nil, "1")])),
        Case(
            "\(price).graduated.1.up_to", "must ascend",
            graduated([(10, "1"), (10, "1"), (nil, "1")])),
        Case("\(price).graduated.0.up_to", "must end above 0", graduated([(0, "1"), (nil, "1")])),
        Case("\(price).graduated.1.up_to", "takes all the rest", graduated([(5, "1"), (10, "1")])),
        Case("\(price).graduated.0", "only the last tier", graduated([(nil, "1"), (nil, "1")])),
        Case("\(price).graduated.0.unit", "must not be negative", graduated([(nil, "-1")])),
        Case(
            "\(price).graduated", "at most 64 tiers",
            graduated((1...64).map { ($0, "1") } + [(nil, "1")])),
        Case(
            "\(price).volume.0.up_to", "takes all the rest",
            tokens { .init(model: .volume([.init(upTo: 5, unit: .zero)])) }),
        Case(
            "\(price).package.size", "above 0",
            tokens { .init(model: .package(size: 0, try decimal("1"))) }),
        Case(
            "\(price).package.amount", "must not be negative",
            tokens { .init(model: .package(size: 1, try decimal("-1"))) }),
        Case(
            "\(price).included", "must not be negative",
            tokens { .init(model: .flat(.zero), included: .units(-1)) }),
        Case(
            "\(price).minimum", "must not be above the maximum 2",
            tokens {
                .init(model: .flat(.zero), minimum: try decimal("3"), maximum: try decimal("2"))
            }),
        Case(
            "\(price).maximum", "must not be negative",
            tokens { .init(model: .flat(.zero), maximum: try decimal("-2")) }),
        Case(price, "not per hour", tokens(period: .hour) { try perUnit("1") }),
        Case(price, "not per lifetime", tokens(period: .lifetime) { try perUnit("1") }),
        Case(price, "needs a currency") { $0.plans[0].currency = nil },
        Case("plans.0.fee", "needs a currency") { $0.plans[0].currency = nil },
        Case("plans.0.entitlements.seats.price", "needs a currency") { $0.plans[0].currency = nil },
        Case("plans.0.fee", "must not be negative") {
            $0.plans[0].fee = RecurringPrice(amount: try decimal("-0.01"))
        },
        Case("plans.0.fee", "at most 12 decimal places") {
            $0.plans[0].fee = RecurringPrice(amount: try decimal("0.0000000000001"))
        },
        Case("add_ons.0.fee", "needs a currency") { $0.addOns[0].currency = nil },
        Case("add_ons.0.entitlements.tokens.price", "an add-on has a fee") {
            $0.addOns[0].entitlements["tokens"] = .metered(
                .init(limit: .finite(1), period: .month, price: try perUnit("1")))
        },
        Case("stripe.meters.tokns", "no meter \"tokns\"; did you mean \"tokens\"?") {
            $0.stripe?.meters["tokns"] = .init(eventName: "x")
        },
        Case("stripe.meters.tokens.event_name", "1 to 100 bytes, found 0") {
            $0.stripe?.meters["tokens"] = .init(eventName: "")
        },
        Case("stripe.meters.tokens.event_name", "found 101") {
            $0.stripe?.meters["tokens"] = .init(eventName: String(repeating: "x", count: 101))
        },
        Case("stripe.meters.tokens.event_name", "meter \"hours\" is reported as") {
            $0.stripe?.meters["tokens"] = .init(eventName: "run_hours")
        },
    ]

    @Test(arguments: cases) func isReportedWhereItIs(_ item: Case) throws {
        var catalog = try PriceCatalog.catalog()
        try item.bend(&catalog)
        guard case .failure(let found) = compile(catalog) else {
            Issue.record("compiled")
            return
        }
        let isThere = found.issues.contains {
            $0.path.joined(separator: ".") == item.path && $0.message.contains(item.part)
        }
        #expect(isThere, "\(found)")
    }

    @Test func isToldWhereItStandsInTheText() {
        let found = problems(
            """
            meters: [{key: t, event_type: x, aggregation: count}]
            features: [{key: t, type: metered, meter: t}]
            plans:
            - key: p
              currency: EUR
              entitlements:
                t: {limit: 1, period: month, price: {graduated: [{up_to: 5, unit: 1}, {up_to: 4, unit: 1}, {unit: -1}]}}
            """)
        #expect(found.count == 2)
        #expect(found.allSatisfy { $0.line == 7 })
        #expect(found.map(\.column) == [83, 103])
    }

    // MARK: contracts

    private static func issues(
        _ subscriptions: [CustomerContract.Held<SubscriptionTerms>],
        overrides: [CustomerContract.Held<OverrideTerms>] = []
    ) throws -> [String] {
        var catalog = try PriceCatalog.catalog()
        catalog.products = [.init(key: "other")]
        catalog.plans[2].product = "other"
        let result = CatalogSnapshot.compile(
            catalog, contracts: [contract(subscriptions, overrides: overrides)], revision: 1,
            hash: testHash, zone: { _ in .utc })
        guard case .failure(let found) = result else { return [] }
        return found.issues.map { "\($0.path.joined(separator: ".")): \($0.message)" }
    }

    @Test func anAddOnIsOfThePlansCurrency() throws {
        let found = try Self.issues([
            subscription("pro") {
                $0.addOns = [.init(key: "backup"), .init(key: "yen_pack"), .init(key: "free_pack")]
            }
        ])
        #expect(found.count == 1)
        #expect(
            found.first?.hasPrefix(
                "subscription.sub_pro.add_ons.1.key: add-on \"yen_pack\" is priced in JPY")
                == true, "\(found)")
        #expect(try Self.issues([subscription("pro") { $0.addOns = [.init(key: "backup")] }]) == [])
    }

    @Test func aCustomerIsBilledInOneCurrencyAtATime() throws {
        let found = try Self.issues([subscription("pro"), subscription("yen")])
        #expect(found.count == 1)
        #expect(found.first?.contains("at the same time is in EUR") == true, "\(found)")
        #expect(
            try Self.issues([
                subscription("pro", to: day(5)), subscription("yen", from: day(5)),
            ]) == [])
    }

    @Test func anOverrideKeepsAPeriodThatCanBeBilled() throws {
        let hour = override("ov_1", "tokens", .metered(.init(period: .hour)))
        let found = try Self.issues([subscription("pro")], overrides: [hour])
        #expect(found.count == 1)
        #expect(found.first?.hasPrefix("override.ov_1.value.period: plan \"pro\"") == true)
        let day = override("ov_1", "tokens", .metered(.init(period: .day)))
        #expect(try Self.issues([subscription("pro")], overrides: [day]) == [])
    }
}
