internal import NIOCore

/// Writes one JSON document into a byte buffer. Commas are its business, the shape is the caller's.
/// Kept and cleared between documents, it allocates nothing.
struct JSONWriter {
    private(set) var buffer: ByteBuffer
    private var needsComma = false

    init(buffer: ByteBuffer = ByteBuffer()) { self.buffer = buffer }

    mutating func clear() {
        buffer.clear()
        needsComma = false
    }

    mutating func object(_ body: (inout JSONWriter) -> Void) {
        open(UInt8(ascii: "{"))
        body(&self)
        close(UInt8(ascii: "}"))
    }

    mutating func array(_ body: (inout JSONWriter) -> Void) {
        open(UInt8(ascii: "["))
        body(&self)
        close(UInt8(ascii: "]"))
    }

    mutating func array<Elements: Sequence>(
        _ elements: Elements, _ body: (inout JSONWriter, Elements.Element) -> Void
    ) {
        open(UInt8(ascii: "["))
        for element in elements { body(&self, element) }
        close(UInt8(ascii: "]"))
    }

    @inline(__always)
    private mutating func open(_ bracket: UInt8) {
        separate()
        buffer.writeInteger(bracket)
        needsComma = false
    }

    @inline(__always)
    private mutating func close(_ bracket: UInt8) {
        buffer.writeInteger(bracket)
        needsComma = true
    }

    @inline(__always)
    private mutating func separate() {
        if needsComma { buffer.writeInteger(UInt8(ascii: ",")) }
        needsComma = true
    }

    /// A member's name, already quoted and followed by a colon in `quoted`: `"limit":`.
    @inline(__always)
    mutating func name(_ quoted: StaticString) {
        if needsComma { buffer.writeInteger(UInt8(ascii: ",")) }
        buffer.writeStaticString(quoted)
        needsComma = false
    }

    mutating func name(_ text: String) {
        value(text)
        buffer.writeInteger(UInt8(ascii: ":"))
        needsComma = false
    }

    mutating func value(_ text: String) {
        separate()
        buffer.writeInteger(UInt8(ascii: "\""))
        if text.utf8.contains(where: { $0 < 0x20 || $0 == 0x22 || $0 == 0x5C }) {
            for byte in text.utf8 {
                if let escape = JSONEscapes.escape(byte) {
                    buffer.writeString(escape)
                } else {
                    buffer.writeInteger(byte)
                }
            }
        } else {
            buffer.writeString(text)
        }
        buffer.writeInteger(UInt8(ascii: "\""))
    }

    mutating func value(_ text: String?) {
        if let text { value(text) } else { null() }
    }

    mutating func value(_ flag: Bool) {
        separate()
        buffer.writeStaticString(flag ? "true" : "false")
    }

    mutating func value(_ number: Int64) {
        separate()
        buffer.writeDecimal(number)
    }

    mutating func null() {
        separate()
        buffer.writeStaticString("null")
    }

    /// JSON or string content that is known to be sound.
    mutating func raw(_ bytes: some Sequence<UInt8>) {
        separate()
        buffer.writeBytes(bytes)
    }

    mutating func raw(_ bytes: ByteBuffer) {
        separate()
        buffer.writeImmutableBuffer(bytes)
    }

    /// A value whose bytes `write` puts down itself.
    @inline(__always)
    mutating func raw(_ write: (inout ByteBuffer) -> Void) {
        separate()
        write(&buffer)
    }
}

extension ByteBuffer {
    /// Writes decimal digits without going through a string.
    mutating func writeDecimal(_ number: Int64) {
        if number < 0 { writeInteger(UInt8(ascii: "-")) }
        var rest = number.magnitude
        if rest < 10 {
            writeInteger(UInt8(truncatingIfNeeded: rest) &+ 0x30)
            return
        }
        var digits = InlineArray<20, UInt8>(repeating: 0x30)
        var start = 20
        while rest > 0 {
            start -= 1
            digits[start] = UInt8(truncatingIfNeeded: rest % 10) &+ 0x30
            rest /= 10
        }
        // SAFETY: bytes have no padding; the span is read while `digits` is alive.
        unsafe writeBytes(digits.span.extracting(start..<20).bytes)
    }

    /// Writes `number` with leading zeros; `width` is at most 8.
    @inline(__always)
    mutating func writePadded(_ number: Int64, width: Int) {
        var digits = InlineArray<8, UInt8>(repeating: 0x30)
        var rest = number
        for position in stride(from: 7, through: 8 - width, by: -1) {
            digits[position] = UInt8(truncatingIfNeeded: rest % 10) &+ 0x30
            rest /= 10
        }
        // SAFETY: bytes have no padding; the span is read while `digits` is alive.
        unsafe writeBytes(digits.span.extracting(8 - width..<8).bytes)
    }
}
