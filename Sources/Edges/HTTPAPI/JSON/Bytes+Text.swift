/// Text put together byte by byte: no strings in between, and none of the sharing checks that a
/// `ByteBuffer` makes at every write.
extension [UInt8] {
    @inline(__always)
    mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { bytes in
            // SAFETY: a static string's bytes live as long as the program.
            unsafe append(contentsOf: bytes)
        }
    }

    /// Writes decimal digits.
    mutating func append(decimal number: Int64) {
        if number < 0 { append(UInt8(ascii: "-")) }
        var rest = number.magnitude
        if rest < 10 { return append(UInt8(truncatingIfNeeded: rest) &+ 0x30) }
        var digits = InlineArray<20, UInt8>(repeating: 0x30)
        var start = 20
        while rest > 0 {
            start -= 1
            digits[start] = UInt8(truncatingIfNeeded: rest % 10) &+ 0x30
            rest /= 10
        }
        for index in start..<20 { append(digits[index]) }
    }

    /// The last `width` digits of a number that is not negative, with leading zeros.
    @inline(__always)
    mutating func append(_ number: Int64, width: Int) {
        var divisor: UInt64 = 1
        for _ in 1..<width { divisor *= 10 }
        let value = number.magnitude
        while divisor > 0 {
            append(UInt8(truncatingIfNeeded: value / divisor % 10) &+ 0x30)
            divisor /= 10
        }
    }
}
