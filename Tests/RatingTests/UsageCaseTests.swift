import MeteringModel
import Rating
import Testing

/// Cases computed by hand, in minor units. One unchanged November each.
@Suite struct UsageCaseTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var price: @Sendable () throws -> UsagePrice
        var used: Int64
        var currency = "EUR"
        var scale = 0
        var limit: Limit?
        var amount: Int64

        var testDescription: String { name }
    }

    @Sendable static func perUnit(
        _ unit: String, included: UsagePrice.Included = .units(0), minimum: String? = nil,
        maximum: String? = nil, rounding: RoundingRule = .halfUp
    ) throws -> UsagePrice {
        UsagePrice(
            model: .perUnit(try decimal(unit)), included: included,
            minimum: try minimum.map { try decimal($0) },
            maximum: try maximum.map { try decimal($0) }, rounding: rounding)
    }

    /// 1,000 at 0.10, 9,000 at 0.05 and 5.00 once, the rest at 0.01.
    @Sendable static func tiers() throws -> [PriceTier] {
        [
            try tier(1_000, "0.10"), try tier(10_000, "0.05", flat: "5"), try tier(nil, "0.01"),
        ]
    }

    @Sendable static func package(included: Int64 = 0) throws -> UsagePrice {
        UsagePrice(
            model: .package(size: 1_000, try decimal("1.50")), included: .units(included))
    }

    static let cases: [Case] = [
        Case(
            name: "flat", price: { UsagePrice(model: .flat(try decimal("10"))) }, used: 0,
            amount: 1_000),
        Case(
            name: "flat, whatever is used",
            price: { UsagePrice(model: .flat(try decimal("9.99"))) }, used: 123_456, amount: 999),
        Case(
            name: "flat below its minimum",
            price: { UsagePrice(model: .flat(try decimal("10")), minimum: try decimal("12")) },
            used: 5, amount: 1_200),
        Case(
            name: "flat above its maximum",
            price: { UsagePrice(model: .flat(try decimal("10")), maximum: try decimal("8")) },
            used: 5, amount: 800),
        // 1,234,567 × 0.000002 = 2.469134
        Case(name: "per unit", price: { try perUnit("0.000002") }, used: 1_234_567, amount: 247),
        Case(name: "per unit, nothing used", price: { try perUnit("0.01") }, used: 0, amount: 0),
        // (1,500 − 1,000) × 0.01
        Case(
            name: "per unit, included",
            price: { try perUnit("0.01", included: .units(1_000)) }, used: 1_500, amount: 500),
        Case(
            name: "per unit, all of it included",
            price: { try perUnit("0.01", included: .units(1_000)) }, used: 1_000, amount: 0),
        Case(
            name: "overage only", price: { try perUnit("0.02", included: .limit) }, used: 1_250,
            limit: .finite(1_000), amount: 500),
        Case(
            name: "overage of no limit", price: { try perUnit("0.02", included: .limit) },
            used: 1_250, limit: .unlimited, amount: 0),
        Case(
            name: "overage without a quota", price: { try perUnit("0.02", included: .limit) },
            used: 1_250, limit: nil, amount: 2_500),
        // 12.50 hours at 0.40
        Case(
            name: "decimal quantities", price: { try perUnit("0.40") }, used: 1_250, scale: 2,
            amount: 500),
        Case(
            name: "minimum", price: { try perUnit("0.01", minimum: "20") }, used: 1_500,
            amount: 2_000),
        Case(
            name: "minimum reached", price: { try perUnit("0.01", minimum: "15") }, used: 1_500,
            amount: 1_500),
        // 333 × 0.01 = 3.33, to 10.005 lacks 6.675 → 6.68
        Case(
            name: "minimum with a half cent", price: { try perUnit("0.01", minimum: "10.005") },
            used: 333, amount: 1_001),
        // 0.005 + 9.995 would be 0.01 + 10.00 if each were rounded by itself.
        Case(
            name: "the minimum is not topped twice",
            price: { try perUnit("0.001", minimum: "10") }, used: 5, amount: 1_000),
        Case(
            name: "maximum", price: { try perUnit("0.01", maximum: "12.34") }, used: 1_500,
            amount: 1_234),
        Case(
            name: "maximum not reached", price: { try perUnit("0.01", maximum: "15.01") },
            used: 1_500, amount: 1_500),
        Case(
            name: "first tier, last unit",
            price: { UsagePrice(model: .graduated(try tiers())) }, used: 1_000, amount: 10_000),
        // 100.00 + 0.05 + 5.00
        Case(
            name: "second tier, first unit",
            price: { UsagePrice(model: .graduated(try tiers())) }, used: 1_001, amount: 10_505),
        // 100.00 + 450.00 + 5.00
        Case(
            name: "second tier, last unit",
            price: { UsagePrice(model: .graduated(try tiers())) }, used: 10_000, amount: 55_500),
        // … + 0.01
        Case(
            name: "third tier, first unit",
            price: { UsagePrice(model: .graduated(try tiers())) }, used: 10_001, amount: 55_501),
        // 9,001 billable: 100.00 + 8,001 × 0.05 + 5.00
        Case(
            name: "graduated, included does not fill tiers",
            price: { UsagePrice(model: .graduated(try tiers()), included: .units(1_000)) },
            used: 10_001, amount: 50_505),
        Case(
            name: "graduated, nothing used costs no flat",
            price: { UsagePrice(model: .graduated([try tier(nil, "0.01", flat: "5")])) }, used: 0,
            amount: 0),
        Case(
            name: "graduated, one unit costs the flat",
            price: { UsagePrice(model: .graduated([try tier(nil, "0.01", flat: "5")])) }, used: 1,
            amount: 501),
        Case(
            name: "volume, first tier", price: { UsagePrice(model: .volume(try tiers())) },
            used: 1_000, amount: 10_000),
        // 1,001 × 0.05 + 5.00
        Case(
            name: "volume, second tier", price: { UsagePrice(model: .volume(try tiers())) },
            used: 1_001, amount: 5_505),
        // 10,001 × 0.01
        Case(
            name: "volume, third tier", price: { UsagePrice(model: .volume(try tiers())) },
            used: 10_001, amount: 10_001),
        Case(name: "package, none begun", price: { try package() }, used: 0, amount: 0),
        Case(name: "package, begun", price: { try package() }, used: 1, amount: 150),
        Case(name: "package, full", price: { try package() }, used: 1_000, amount: 150),
        Case(name: "package, the next one", price: { try package() }, used: 1_001, amount: 300),
        Case(
            name: "package after what is included", price: { try package(included: 500) },
            used: 1_500, amount: 150),
        // 2.5 of each currency's minor unit
        Case(
            name: "yen have no minor unit", price: { try perUnit("0.5") }, used: 5,
            currency: "JPY", amount: 3),
        Case(
            name: "dinars have thousandths", price: { try perUnit("0.0005") }, used: 5,
            currency: "KWD", amount: 3),
        Case(name: "half a cent up", price: { try perUnit("0.005") }, used: 5, amount: 3),
        Case(
            name: "half a cent to the even one, down",
            price: { try perUnit("0.005", rounding: .halfEven) }, used: 5, amount: 2),
        Case(
            name: "half a cent to the even one, up",
            price: { try perUnit("0.005", rounding: .halfEven) }, used: 7, amount: 4),
        Case(
            name: "a little up", price: { try perUnit("0.0001", rounding: .up) }, used: 201,
            amount: 3),
        Case(
            name: "nearly all of it down", price: { try perUnit("0.0001", rounding: .down) },
            used: 299, amount: 2),
        Case(name: "just below half", price: { try perUnit("0.0001") }, used: 249, amount: 2),
        Case(
            name: "just above half, even",
            price: { try perUnit("0.0001", rounding: .halfEven) }, used: 251, amount: 3),
    ]

    @Test(arguments: cases) func handComputed(_ one: Case) throws {
        let charge = try charge(
            try one.price(), used: one.used, currency: one.currency, scale: one.scale,
            limit: one.limit)
        let lines = try UsageRating.lines(charge)
        #expect(sum(lines) == one.amount)
        for line in lines {
            #expect(line.currency.code == one.currency)
            #expect(line.dueAt == charge.period.end)
        }
    }

    // MARK: what a line says

    @Test func aLineExplainsItself() throws {
        let price = UsagePrice(model: .graduated(try Self.tiers()), included: .units(500))
        let line = try #require(try UsageRating.lines(charge(price, used: 2_500)).first)
        #expect(line.kind == .usage)
        #expect(line.quantity == 2_000)
        #expect(line.includedQuantity == 500)
        #expect(line.parts.map(\.kind) == [.tier, .tier])
        #expect(line.parts.map(\.quantity) == [1_000, 1_000])
        #expect(line.parts.map(\.lower) == [0, 1_000])
        #expect(line.parts.map(\.upper) == [1_000, 10_000])
        #expect(line.parts.map(\.amount.text) == ["100", "55"])
        #expect(line.exactText == "155")
        #expect(line.amount == 15_500)
        #expect(line.unitPrice == nil)
        #expect(line.proration == nil)
    }

    @Test func aUnitPriceIsNamedWhereItHoldsForAll() throws {
        let line = try #require(
            try UsageRating.lines(charge(Self.perUnit("0.000002"), used: 1_234_567)).first)
        #expect(line.unitPrice?.text == "0.000002")
        #expect(line.exactText == "2.469134")
    }

    @Test func aMaximumIsAPartOfItsOwn() throws {
        let line = try #require(
            try UsageRating.lines(charge(Self.perUnit("0.01", maximum: "12"), used: 1_500)).first)
        #expect(line.parts.map(\.kind) == [.unit, .maximum])
        #expect(line.parts.map(\.amount.text) == ["15", "-3"])
        #expect(line.amount == 1_200)
    }

    @Test func aMinimumIsALineOfItsOwn() throws {
        let lines = try UsageRating.lines(
            charge(Self.perUnit("0.01", minimum: "20"), used: 1_500))
        #expect(lines.map(\.kind) == [.usage, .minimum])
        #expect(lines.map(\.amount) == [1_500, 500])
        #expect(lines[1].parts.map(\.kind) == [.minimum, .billed])
        #expect(Set(lines.map(\.key)).count == 2)
    }
}
