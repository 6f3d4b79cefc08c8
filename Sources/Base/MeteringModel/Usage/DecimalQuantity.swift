/// A decimal number exactly as written: mantissa × 10^exponent. Turned into a meter's smallest unit
/// by checked integer arithmetic; binary floating point never takes part.
public struct DecimalQuantity: Hashable, Sendable {
    public var mantissa: Int64
    public var exponent: Int

    public init(mantissa: Int64, exponent: Int = 0) {
        self.mantissa = mantissa
        self.exponent = exponent
    }

    public enum Failure: Error, Sendable, Hashable {
        case notANumber, overflow
        /// More decimal places than the meter keeps.
        case tooPrecise
    }

    /// Units at `scale` decimal places.
    public func units(scale: Int) throws(Failure) -> Int64 {
        if mantissa == 0 { return 0 }
        var value = mantissa
        var shift = exponent + scale
        while shift > 0 {
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            if overflow { throw .overflow }
            value = product
            shift -= 1
        }
        while shift < 0 {
            let (quotient, remainder) = value.quotientAndRemainder(dividingBy: 10)
            if remainder != 0 { throw .tooPrecise }
            value = quotient
            if value == 0 { break }
            shift += 1
        }
        return value
    }

    /// Parses `-12`, `3.25`, `1e3`; whole text, no spaces, no `+`, no NaN.
    public init(_ text: String) throws(Failure) {
        // SAFETY: the span is read while `text` is alive and leaves no trace.
        unsafe try self.init(bytes: text.utf8Span.span.bytes)
    }

    public init(bytes: RawSpan) throws(Failure) {
        var index = 0
        let end = bytes.byteCount
        var isNegative = false
        if index < end, bytes.byte(at: index) == 0x2D {
            isNegative = true
            index += 1
        }
        var mantissa: Int64 = 0
        var exponent = 0
        var digits = 0
        var pendingZeros = 0
        var sawPoint = false
        scan: while index < end {
            let byte = bytes.byte(at: index)
            switch byte {
            case 0x30...0x39:
                digits += 1
                if sawPoint, byte == 0x30 {
                    // Zeros at the end of a fraction carry no value; keep them only if needed.
                    pendingZeros += 1
                } else {
                    for _ in 0..<pendingZeros { try Self.push(0, to: &mantissa, isNegative) }
                    if sawPoint { exponent -= pendingZeros + 1 }
                    pendingZeros = 0
                    try Self.push(Int64(byte - 0x30), to: &mantissa, isNegative)
                }
            case 0x2E:
                if sawPoint || digits == 0 { throw .notANumber }
                sawPoint = true
                digits = 0
            default: break scan
            }
            index += 1
        }
        if digits == 0 { throw .notANumber }
        if index < end {
            guard bytes.byte(at: index) | 0x20 == 0x65 else { throw .notANumber }
            exponent += try Self.exponent(in: bytes, from: index + 1)
        }
        self.mantissa = mantissa
        self.exponent = mantissa == 0 ? 0 : exponent
    }

    private static func push(
        _ digit: Int64, to mantissa: inout Int64, _ isNegative: Bool
    ) throws(Failure) {
        let (product, tooLarge) = mantissa.multipliedReportingOverflow(by: 10)
        let (sum, overflow) = product.addingReportingOverflow(isNegative ? -digit : digit)
        if tooLarge || overflow { throw .overflow }
        mantissa = sum
    }

    private static func exponent(in bytes: RawSpan, from start: Int) throws(Failure) -> Int {
        var index = start
        var sign = 1
        if index < bytes.byteCount, [0x2B, 0x2D].contains(bytes.byte(at: index)) {
            if bytes.byte(at: index) == 0x2D { sign = -1 }
            index += 1
        }
        if index >= bytes.byteCount { throw .notANumber }
        var value = 0
        while index < bytes.byteCount {
            let byte = bytes.byte(at: index)
            guard (0x30...0x39).contains(byte) else { throw .notANumber }
            value = value * 10 + Int(byte - 0x30)
            if value > 400 { throw sign > 0 ? .overflow : .tooPrecise }
            index += 1
        }
        return sign * value
    }

    /// Units as people read them: 125 at scale 2 is `1.25`; at scale 0 a plain integer.
    public static func text(units: Int64, scale: Int) -> String {
        if scale == 0 { return String(units) }
        var digits = String(units.magnitude)
        if digits.count <= scale {
            digits = String(repeating: "0", count: scale - digits.count + 1) + digits
        }
        let point = digits.index(digits.endIndex, offsetBy: -scale)
        return (units < 0 ? "-" : "") + digits[..<point] + "." + digits[point...]
    }
}
