/// An amount that a decimal cannot always hold: a decimal over a whole number, as proration makes
/// them (49.00 × 17 of 31 days). Exact until it is rounded, once.
///
/// Numerically equal values are equal: the fraction is in lowest terms and its denominator has no
/// factor 2 or 5 (those become decimal places), so a value that a decimal can hold is a decimal.
/// Arithmetic is checked: what would leave 128 bits is nil.
public struct ExactAmount: Hashable, Sendable {
    public let numerator: ExactDecimal
    /// At least 1; 1 when the amount is a decimal.
    public let denominator: Int64

    public static let zero = ExactAmount(.zero)

    public init(_ decimal: ExactDecimal) {
        numerator = decimal
        denominator = 1
    }

    /// `decimal` × `part` ÷ `whole`; nil when it does not fit.
    /// - Parameters:
    ///   - part: may be negative, or more than `whole`.
    ///   - whole: at least 1.
    public init?(_ decimal: ExactDecimal, times part: Int64, over whole: Int64) {
        precondition(whole > 0, "a whole is at least 1")
        let shared = Self.commonDivisor(UInt128(part.magnitude), UInt128(whole))
        let (part, whole) = (part / Int64(shared), whole / Int64(shared))
        let cancelled = Self.commonDivisor(decimal.mantissa.magnitude, UInt128(whole))
        let reduced = ExactDecimal(
            units: decimal.mantissa / Int128(cancelled), scale: decimal.scale)
        guard let product = reduced.multiplied(by: ExactDecimal(units: Int128(part), scale: 0))
        else { return nil }
        self.init(reduced: product, over: whole / Int64(cancelled))
    }

    /// In lowest terms already; moves the factors 2 and 5 of the denominator into decimal places.
    private init?(reduced decimal: ExactDecimal, over whole: Int64) {
        var (decimal, whole) = (decimal, whole)
        if decimal.isZero { whole = 1 }
        while whole % 10 == 0, let tenth = decimal.multiplied(by: Self.tenth) {
            (decimal, whole) = (tenth, whole / 10)
        }
        while whole % 2 == 0 {
            guard let half = decimal.multiplied(by: Self.half) else { return nil }
            (decimal, whole) = (half, whole / 2)
        }
        while whole % 5 == 0 {
            guard let fifth = decimal.multiplied(by: Self.fifth) else { return nil }
            (decimal, whole) = (fifth, whole / 5)
        }
        numerator = decimal
        denominator = whole
    }

    private static let tenth = ExactDecimal(units: 1, scale: 1)
    private static let half = ExactDecimal(units: 5, scale: 1)
    private static let fifth = ExactDecimal(units: 2, scale: 1)

    /// The decimal that it is; nil when no decimal is exactly that.
    public var decimal: ExactDecimal? { denominator == 1 ? numerator : nil }

    public var isNegative: Bool { numerator.isNegative }
    public var isZero: Bool { numerator.isZero }

    /// Nil when it does not fit.
    public func adding(_ other: ExactAmount) -> ExactAmount? {
        if denominator == 1, other.denominator == 1 {
            return numerator.adding(other.numerator).map { ExactAmount($0) }
        }
        let divisor = Int64(Self.commonDivisor(UInt128(denominator), UInt128(other.denominator)))
        let (shared, isOver) = (denominator / divisor)
            .multipliedReportingOverflow(by: other.denominator)
        guard !isOver,
            let left = numerator.multiplied(by: Self.whole(other.denominator / divisor)),
            let right = other.numerator.multiplied(by: Self.whole(denominator / divisor)),
            let sum = left.adding(right)
        else { return nil }
        return ExactAmount(sum, times: 1, over: shared)
    }

    /// Nil when it does not fit.
    public func subtracting(_ other: ExactAmount) -> ExactAmount? {
        other.negated.flatMap { adding($0) }
    }

    /// Nil for the one value whose opposite does not fit.
    public var negated: ExactAmount? {
        numerator.negated.flatMap { ExactAmount($0, times: 1, over: denominator) }
    }

    /// Nil when it does not fit.
    public func multiplied(by count: Int64) -> ExactAmount? {
        let shared = Self.commonDivisor(UInt128(count.magnitude), UInt128(denominator))
        guard
            let product = numerator.multiplied(
                by: ExactDecimal(units: Int128(count) / Int128(shared), scale: 0))
        else { return nil }
        return ExactAmount(product, times: 1, over: denominator / Int64(shared))
    }

    /// The amount in whole units of 10^−`places`, e.g. cents at 2; nil when that leaves 64 bits.
    public func rounded(places: Int, _ rule: RoundingRule) -> Int64? {
        precondition((0...ExactDecimal.scaleMax).contains(places))
        let divisor = UInt128(denominator)
        var magnitude = numerator.mantissa.magnitude
        /// What dividing by the decimal places leaves, and the divisor: below one in all.
        var (rest, unit) = (UInt128(0), UInt128(1))
        if places >= numerator.scale {
            for _ in numerator.scale..<places {
                let (shifted, isOver) = magnitude.multipliedReportingOverflow(by: 10)
                if isOver { return nil }
                magnitude = shifted
            }
        } else {
            for _ in places..<numerator.scale { unit *= 10 }
            (magnitude, rest) = magnitude.quotientAndRemainder(dividingBy: unit)
        }
        let (quotient, remainder) =
            divisor == 1 ? (magnitude, 0) : magnitude.quotientAndRemainder(dividingBy: divisor)
        let isUp =
            switch rule {
            case .down: false
            case .up: remainder != 0 || rest != 0
            case .halfUp: Self.half(remainder, rest, unit, divisor) >= 0
            case .halfEven:
                Self.half(remainder, rest, unit, divisor) + (quotient % 2 == 1 ? 1 : 0) > 0
            }
        let (result, isOver) = quotient.addingReportingOverflow(isUp ? 1 : 0)
        guard !isOver, let units = Int128(exactly: result) else { return nil }
        return Int64(exactly: isNegative ? -units : units)
    }

    /// Whether (remainder + rest / unit) / divisor is below one half (−1), one half (0) or above (1).
    private static func half(
        _ remainder: UInt128, _ rest: UInt128, _ unit: UInt128, _ divisor: UInt128
    ) -> Int {
        // Doubling fits: the divisor is of 63 bits and the unit at most 10^36.
        let doubled = remainder * 2
        if doubled >= divisor { return doubled == divisor && rest == 0 ? 0 : 1 }
        if doubled + 1 < divisor { return -1 }
        return rest * 2 == unit ? 0 : (rest * 2 < unit ? -1 : 1)
    }

    private static func whole(_ value: Int64) -> ExactDecimal {
        ExactDecimal(units: Int128(value), scale: 0)
    }

    private static func commonDivisor(_ left: UInt128, _ right: UInt128) -> UInt128 {
        var (left, right) = (left, right)
        while right != 0 { (left, right) = (right, left % right) }
        return max(left, 1)
    }

    /// `4.5`, or `24.5/31` where no decimal is exactly that.
    public var text: String {
        denominator == 1 ? numerator.text : "\(numerator.text)/\(denominator)"
    }
}
