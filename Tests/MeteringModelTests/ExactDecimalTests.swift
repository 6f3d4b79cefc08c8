import MeteringModel
import Testing

@Suite struct ExactDecimalTests {
    private static let largest = ExactDecimal(units: .max, scale: 36)
    private static let smallest = ExactDecimal(units: .min, scale: 36)

    /// Mantissas of all sizes, the ends of the range among them.
    static func value(_ random: inout SeededGenerator) -> ExactDecimal {
        let bits = Int.random(in: 0...126, using: &random)
        var mantissa = Int128.random(in: 0...((Int128(1) << Int128(bits)) - 1), using: &random)
        if Bool.random(using: &random) { mantissa = -mantissa }
        if Int.random(in: 0...30, using: &random) == 0 { mantissa = .min }
        if Int.random(in: 0...30, using: &random) == 0 { mantissa = .max }
        return ExactDecimal(units: mantissa, scale: Int.random(in: 0...36, using: &random))
    }

    private static func mantissa(_ value: ExactDecimal, at scale: Int) -> BigNumber {
        BigNumber(String(value.mantissa)) * .power(scale - value.scale)
    }

    @Test(arguments: [
        ("0", "0"), ("-0", "0"), ("0.000", "0"), ("49.00", "49"), ("-12", "-12"),
        ("0.000002", "0.000002"), ("1e-6", "0.000001"), ("1.5E3", "1500"), ("2e+2", "200"),
        ("100e-2", "1"), ("0e60", "0"), ("-0.5", "-0.5"), ("007", "7"),
        ("170141183460469231731687303715884105727", "170141183460469231731687303715884105727"),
        ("-170141183460469231731687303715884105728", "-170141183460469231731687303715884105728"),
        ("0.000000000000000000000000000000000001", "0.000000000000000000000000000000000001"),
    ])
    func parses(text: String, shown: String) {
        #expect(ExactDecimal(text)?.text == shown)
    }

    @Test(arguments: [
        "", "-", ".", "5.", ".5", "-.5", "1.2.3", "1,5", "+1", " 1", "1 ", "1e", "1e1.5", "e5",
        "0x10",
        "NaN", "inf", "1_000", "--1", "1-", "\u{0661}", "1\u{0301}", "1e99", "1e81",
        "0.0000000000000000000000000000000000001",
        "170141183460469231731687303715884105728", "1e39",
    ])
    func refuses(text: String) {
        #expect(ExactDecimal(text) == nil)
    }

    @Test func textHasAtLeastThePlacesAskedFor() {
        #expect(ExactDecimal("49")?.text(placesMin: 2) == "49.00")
        #expect(ExactDecimal("0.125")?.text(placesMin: 2) == "0.125")
        #expect(ExactDecimal("-0.5")?.text(placesMin: 3) == "-0.500")
        #expect(ExactDecimal("7")?.text(placesMin: 0) == "7")
    }

    @Test func theFormIsNormal() {
        #expect(ExactDecimal("1.50") == ExactDecimal("1.5"))
        #expect(ExactDecimal("1.50")?.hashValue == ExactDecimal("1.5")?.hashValue)
        #expect(ExactDecimal(units: 1_500, scale: 3).scale == 1)
    }

    @Test func theEndsOfTheRangeDoNotTrap() {
        let one = ExactDecimal(units: 1, scale: 36)
        #expect(Self.smallest.negated == nil)
        #expect(Self.largest.negated?.negated == Self.largest)
        #expect(Self.smallest.adding(Self.smallest) == nil)
        #expect(Self.largest.adding(one) == nil)
        #expect(Self.smallest.subtracting(one) == nil)
        #expect(Self.smallest.subtracting(Self.smallest) == .zero)
        #expect(Self.largest.multiplied(by: Self.largest) == nil)
        #expect(Self.smallest.multiplied(by: ExactDecimal(units: -1, scale: 0)) == nil)
        #expect(Self.smallest < Self.largest)
        #expect(!(Self.smallest < Self.smallest))
        #expect(Self.smallest.text == "-170.141183460469231731687303715884105728")
        #expect(Self.smallest.units(scale: 36) == .min)
    }

    @Test(arguments: 0..<40 as Range<UInt64>)
    func agreesWithWholeNumbersOfAnySize(seed: UInt64) {
        var random = SeededGenerator(state: seed)
        for _ in 0..<50 {
            let (left, right) = (Self.value(&random), Self.value(&random))
            let places = max(left.scale, right.scale)
            let (one, other) = (Self.mantissa(left, at: places), Self.mantissa(right, at: places))
            #expect((left < right) == (one < other), "seed \(seed): \(left.text), \(right.text)")
            #expect((left == right) == (one == other), "seed \(seed): \(left.text)")
            if let sum = left.adding(right) {
                #expect(Self.mantissa(sum, at: places) == one + other, "seed \(seed)")
            }
            if let difference = left.subtracting(right) {
                #expect(Self.mantissa(difference, at: places) == one - other, "seed \(seed)")
            }
            if let product = left.multiplied(by: right) {
                let exact =
                    BigNumber(String(left.mantissa)) * BigNumber(String(right.mantissa))
                #expect(
                    Self.mantissa(product, at: left.scale + right.scale) == exact, "seed \(seed)")
            }
            #expect(ExactDecimal(left.text) == left, "seed \(seed): \(left.text)")
        }
    }
}
