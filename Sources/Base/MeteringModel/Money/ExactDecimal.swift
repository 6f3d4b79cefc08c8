/// A decimal number, mantissa × 10^−scale, exact: money before it is rounded, prices per unit.
///
/// Arithmetic is checked: what would leave 128 bits is nil, never wrapped and never rounded.
/// Numerically equal values are equal and hash alike (the form is normal: no trailing zeros).
public struct ExactDecimal: Hashable, Sendable {
    public let mantissa: Int128
    /// Decimal places, 0 to `scaleMax`.
    public let scale: Int

    public static let scaleMax = 36
    public static let zero = ExactDecimal(units: 0, scale: 0)

    /// `units` × 10^−`scale`.
    /// - Parameter scale: 0 to `scaleMax`.
    public init(units: Int128, scale: Int) {
        precondition((0...Self.scaleMax).contains(scale), "a scale is 0 to \(Self.scaleMax)")
        if let short = Int64(exactly: units) {
            // Nearly all amounts: division of 64 bits is many times faster.
            let (mantissa, places) = Self.normal(short, scale)
            self.mantissa = Int128(mantissa)
            self.scale = places
        } else {
            (mantissa, self.scale) = Self.normal(units, scale)
        }
    }

    @inline(__always)
    private static func normal<Value: FixedWidthInteger>(
        _ value: Value, _ scale: Int
    ) -> (Value, Int) {
        var (value, scale) = (value, scale)
        while scale > 0 {
            let (quotient, remainder) = value.quotientAndRemainder(dividingBy: 10)
            if remainder != 0 { break }
            value = quotient
            scale -= 1
        }
        return (value, scale)
    }

    /// Parses `-12`, `0.000002`, `1e-6`; whole text, no spaces, no `+`. Nil when it is not a number,
    /// or has more digits than fit.
    public init?(_ text: String) {
        var rest = text.utf8[...]
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative { rest = rest.dropFirst() }
        var digits: Int128 = 0
        var (places, digitCount, sawPoint) = (0, 0, false)
        while let byte = rest.first, byte | 0x20 != UInt8(ascii: "e") {
            rest = rest.dropFirst()
            if byte == UInt8(ascii: "."), !sawPoint, digitCount > 0 {
                sawPoint = true
                continue
            }
            guard (0x30...0x39).contains(byte), let shifted = Self.shifted(digits, 1) else {
                return nil
            }
            let digit = Int128(byte - 0x30)
            let (sum, isOver) = shifted.addingReportingOverflow(isNegative ? -digit : digit)
            if isOver { return nil }
            digits = sum
            digitCount += 1
            if sawPoint { places += 1 }
        }
        if digitCount == 0 || (sawPoint && places == 0) { return nil }
        if !rest.isEmpty {
            guard let exponent = Int(String(Substring(rest.dropFirst()))),
                (-Self.exponentMax...Self.exponentMax).contains(exponent)
            else { return nil }
            places -= exponent
        }
        if places < 0 {
            guard let shifted = Self.shifted(digits, -places) else { return nil }
            (digits, places) = (shifted, 0)
        }
        while places > Self.scaleMax {
            let (quotient, remainder) = digits.quotientAndRemainder(dividingBy: 10)
            if remainder != 0 { return nil }
            digits = quotient
            places -= 1
        }
        self.init(units: digits, scale: places)
    }

    /// Exponents beyond this have no value that fits.
    private static let exponentMax = 80

    /// Plain decimal text, without an exponent: `-0.000002`.
    public var text: String { text(placesMin: 0) }

    /// The same with at least so many decimal places: `49.00`.
    public func text(placesMin: Int) -> String {
        var digits = String(mantissa.magnitude)
        if digits.utf8.count <= scale {
            digits = String(repeating: "0", count: scale + 1 - digits.utf8.count) + digits
        }
        let whole = digits.dropLast(scale)
        var places = String(digits.suffix(scale))
        if places.utf8.count < placesMin {
            places += String(repeating: "0", count: placesMin - places.utf8.count)
        }
        return (mantissa < 0 ? "-" : "") + whole + (places.isEmpty ? "" : "." + places)
    }

    public var isNegative: Bool { mantissa < 0 }
    public var isZero: Bool { mantissa == 0 }

    /// Nil when it does not fit.
    public func adding(_ other: ExactDecimal) -> ExactDecimal? {
        let places = Swift.max(scale, other.scale)
        guard let left = units(scale: places), let right = other.units(scale: places) else {
            return nil
        }
        let (sum, isOver) = left.addingReportingOverflow(right)
        return isOver ? nil : ExactDecimal(units: sum, scale: places)
    }

    /// Nil when it does not fit.
    public func subtracting(_ other: ExactDecimal) -> ExactDecimal? {
        let places = Swift.max(scale, other.scale)
        guard let left = units(scale: places), let right = other.units(scale: places) else {
            return nil
        }
        let (difference, isOver) = left.subtractingReportingOverflow(right)
        return isOver ? nil : ExactDecimal(units: difference, scale: places)
    }

    /// Nil for the smallest mantissa, whose opposite does not fit.
    public var negated: ExactDecimal? {
        mantissa == .min ? nil : ExactDecimal(units: -mantissa, scale: scale)
    }

    /// Nil when it does not fit.
    public func multiplied(by other: ExactDecimal) -> ExactDecimal? {
        let (product, isOver) = mantissa.multipliedReportingOverflow(by: other.mantissa)
        if isOver { return nil }
        var (units, places) = (product, scale + other.scale)
        while places > Self.scaleMax {
            let (quotient, remainder) = units.quotientAndRemainder(dividingBy: 10)
            if remainder != 0 { return nil }
            units = quotient
            places -= 1
        }
        return ExactDecimal(units: units, scale: places)
    }

    /// The mantissa at another scale; nil when it does not fit, or would have to be rounded.
    public func units(scale wanted: Int) -> Int128? {
        wanted < scale ? nil : Self.shifted(mantissa, wanted - scale)
    }

    /// `value` × 10^`places`; nil when it does not fit.
    private static func shifted(_ value: Int128, _ places: Int) -> Int128? {
        if value == 0 { return 0 }
        var value = value
        for _ in 0..<places {
            let (shifted, isOver) = value.multipliedReportingOverflow(by: 10)
            if isOver { return nil }
            value = shifted
        }
        return value
    }
}

extension ExactDecimal: Comparable {
    public static func < (left: ExactDecimal, right: ExactDecimal) -> Bool {
        if left.isNegative != right.isNegative { return left.isNegative }
        let (leftWhole, leftRest) = left.wholeAndRest
        let (rightWhole, rightRest) = right.wholeAndRest
        if leftWhole != rightWhole { return leftWhole < rightWhole }
        // Rests are below one: brought to one scale they fit whatever the whole parts are.
        let places = Swift.max(left.scale, right.scale)
        return Self.raised(leftRest, places - left.scale)
            < Self.raised(rightRest, places - right.scale)
    }

    private var wholeAndRest: (Int128, Int128) {
        let divisor = Self.raised(1, scale)
        return (mantissa / divisor, mantissa % divisor)
    }

    private static func raised(_ value: Int128, _ places: Int) -> Int128 {
        (0..<places).reduce(value) { value, _ in value * 10 }
    }
}
