import Entitlements
import MeteringModel
import MeteringPorts
import Testing
import YAMLCatalog

/// Prices as people write them and as they are kept.
@Suite struct PriceCodecTests {
    private static func metered(
        _ catalog: Catalog, _ plan: Int, _ feature: FeatureKey
    ) throws -> UsagePrice {
        guard case .metered(let metered) = catalog.plans[plan].entitlements[feature] else {
            throw CatalogProblems([])
        }
        return try #require(metered.price)
    }

    @Test func everyFormIsRead() throws {
        let catalog = try PriceCatalog.catalog()
        let (pro, scale) = (catalog.plans[0], catalog.plans[1])
        #expect(pro.currency == Currency("EUR"))
        #expect(pro.fee == RecurringPrice(amount: try decimal("49")))
        #expect(scale.fee == RecurringPrice(amount: try decimal("490")))
        #expect(
            try Self.metered(catalog, 0, "tokens")
                == UsagePrice(
                    model: .perUnit(try decimal("0.000002")), included: .limit,
                    minimum: try decimal("5"), maximum: try decimal("99.5")))
        // Quantities are of the meter's scale: 1.5 and 2.25 at two decimal places.
        #expect(
            try Self.metered(catalog, 0, "hours")
                == UsagePrice(
                    model: .package(size: 150, try decimal("0.75")), included: .units(225)))
        #expect(
            try Self.metered(catalog, 1, "tokens")
                == UsagePrice(
                    model: .graduated([
                        PriceTier(upTo: 1_000_000, unit: try decimal("0.00001")),
                        PriceTier(
                            upTo: 2_000_000, unit: try decimal("0.000007"), flat: try decimal("2")),
                        PriceTier(upTo: nil, unit: try decimal("0.000005"), flat: try decimal("5")),
                    ]), rounding: .up))
        #expect(
            try Self.metered(catalog, 1, "hours")
                == UsagePrice(
                    model: .volume([
                        PriceTier(upTo: 250, unit: .zero, flat: try decimal("3")),
                        PriceTier(upTo: nil, unit: .zero),
                    ])))
        #expect(
            pro.entitlements["seats"]
                == .seats(
                    SeatEntitlement(
                        seats: .finite(5),
                        price: RecurringPrice(
                            amount: try decimal("10"), timing: .arrears, prorates: false,
                            included: 2, rounding: .halfEven))))
        #expect(catalog.addOns[0].fee == RecurringPrice(amount: try decimal("20.5")))
        #expect(catalog.addOns[0].currency == Currency("EUR"))
        #expect(
            catalog.stripe?.meters == [
                "tokens": .init(eventName: "llm_tokens", window: .day),
                "hours": .init(eventName: "run_hours", window: .hour),
            ])
        _ = try PriceCatalog.definitions()
    }

    @Test func aRenderedCatalogReadsAsItself() throws {
        let catalog = try PriceCatalog.catalog()
        let text = YAMLCatalog.render(catalog)
        #expect(try YAMLCatalog.parse(text) == catalog, "\(text)")
    }

    @Test func pricesAreWrittenShortAndExact() throws {
        let catalog = try PriceCatalog.catalog()
        let context = CodecContext(catalog: catalog)
        let pro = RecordCodec.encode(catalog.plans[0], context)
        #expect(pro["fee"] == .string("49"))
        #expect(pro["currency"] == .string("EUR"))
        let tokens = pro["entitlements"]?["tokens"]?["price"]
        #expect(
            tokens
                == .members([
                    "unit": .string("0.000002"), "included": .string("limit"),
                    "minimum": .string("5"), "maximum": .string("99.5"),
                ]))
        let yen = RecordCodec.encode(catalog.plans[2], context)
        #expect(yen["fee"] == nil)
        #expect(RecordCodec.encode(catalog.addOns[1], context)["currency"] == nil)
    }

    @Test func numbersOfJSONKeepTheirDigits() throws {
        let json = """
            {"key": "p", "currency": "EUR", "fee": 0.1,
             "entitlements": {"tokens": {"limit": 1, "period": "month",
              "price": {"unit": 0.000000000001}}}}
            """
        let plan = try RecordCodec.plan(
            try JSONParser.parse(json), CodecContext(catalog: try PriceCatalog.catalog()))
        #expect(plan.fee?.amount.text == "0.1")
        guard case .metered(let metered) = plan.entitlements["tokens"] else {
            Issue.record("not metered")
            return
        }
        #expect(metered.price?.model == .perUnit(try decimal("0.000000000001")))
    }

    // MARK: mistakes of form

    static let forms: [(String, String)] = [
        ("{}", "one of flat, unit, graduated, volume and package; found none"),
        ("{unit: 1, flat: 2}", "found flat and unit"),
        ("{unitt: 1}", "did you mean \"unit\"?"),
        ("5", "expected a mapping for a price, found \"5\""),
        ("{unit: many}", "expected a number for unit, found \"many\""),
        ("{unit: 010}", "expected a number for unit"),
        ("{unit: .inf}", "expected a number for unit"),
        ("{unit: 1e99}", "has more digits than unit can have"),
        ("{unit: [1]}", "expected a number for unit, found a list"),
        ("{graduated: 5}", "expected a list of graduated"),
        ("{graduated: [5]}", "expected a mapping for a tier"),
        ("{graduated: [{up_to: 5}, {unit: 1}]}", "a tier needs \"unit\" or \"flat\""),
        ("{graduated: [{up_to: 1.5, unit: 1}, {unit: 1}]}", "counts whole units"),
        ("{graduated: [{upto: 5, unit: 1}, {unit: 1}]}", "did you mean \"up_to\"?"),
        ("{package: 5}", "expected a mapping for a package"),
        ("{package: {size: 5}}", "a package needs \"amount\""),
        ("{package: {amount: 5}}", "a package needs \"size\""),
        ("{unit: 1, included: lots}", "expected a number for included"),
        ("{unit: 1, rounding: half}", "rounding is one of half_up, half_even, up, down"),
    ]

    @Test(arguments: forms) func isToldWhatIsWrong(price: String, part: String) {
        let yaml = """
            meters: [{key: t, event_type: x, aggregation: count}]
            features: [{key: t, type: metered, meter: t}]
            plans:
            - {key: p, currency: EUR, entitlements: {t: {limit: 1, period: month, price: \(price)}}}
            """
        let found = problems(yaml)
        #expect(found.contains { $0.line == 4 && $0.message.contains(part) }, "\(found)")
    }

    static let plans: [(String, String)] = [
        ("currency: eur", "did you mean EUR?"),
        ("currency: EURO", "three capital letters of ISO 4217"),
        ("currency: EUR, fee: free", "expected a number for fee"),
        ("currency: EUR, fee: {timing: advance}", "a fee needs \"amount\""),
        ("currency: EUR, fee: {amount: 1, timing: late}", "timing is one of advance, arrears"),
        ("currency: EUR, fee: {amount: 1, prorate: maybe}", "expected true or false for prorate"),
        ("currency: EUR, fee: {amount: 1, included: 2}", "a fee has no \"included\""),
        ("currency: EUR, fees: 1", "did you mean \"fee\"?"),
    ]

    @Test(arguments: plans) func isToldWhatIsWrongWithAPlan(members: String, part: String) {
        let found = problems("plans:\n- {key: p, \(members)}")
        #expect(found.contains { $0.line == 2 && $0.message.contains(part) }, "\(found)")
    }

    @Test func onlyPlansHavePricesOfFeatures() throws {
        let context = CodecContext(catalog: try PriceCatalog.catalog())
        let override = try JSONParser.parse(
            """
            {"customer": "a", "feature": "tokens", "start": "2026-01-01", "reason": "r",
             "value": {"limit": 5, "price": {"unit": 1}}}
            """)
        #expect(throws: FieldProblem.self) { try RecordCodec.override(override, context) }
        let addOn = try JSONParser.parse(
            """
            {"key": "a", "entitlements": {"tokens": {"limit": 5, "price": {"unit": 1}}}}
            """)
        #expect(throws: FieldProblem.self) { try RecordCodec.addOn(addOn, context) }
    }
}
