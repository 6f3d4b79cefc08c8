/// Writes one JSON document as bytes. Commas are its business, the shape is the caller's.
/// Kept and cleared between documents, it allocates nothing.
struct JSONWriter {
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    init() { bytes.reserveCapacity(1_024) }

    /// Starts anew in the same memory, unless a large document has made it large.
    mutating func clear() {
        if bytes.capacity > 64 * 1_024 {
            self = JSONWriter()
        } else {
            bytes.removeAll(keepingCapacity: true)
        }
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
        bytes.append(bracket)
        needsComma = false
    }

    @inline(__always)
    private mutating func close(_ bracket: UInt8) {
        bytes.append(bracket)
        needsComma = true
    }

    @inline(__always)
    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    /// A member's name, already quoted and followed by a colon in `quoted`: `"limit":`.
    @inline(__always)
    mutating func name(_ quoted: StaticString) {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        bytes.append(quoted)
        needsComma = false
    }

    mutating func name(text: String) {
        value(text)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    mutating func value(_ text: String) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        if text.utf8.contains(where: { $0 < 0x20 || $0 == 0x22 || $0 == 0x5C }) {
            for byte in text.utf8 {
                if let escape = JSONEscapes.escape(byte) {
                    bytes.append(contentsOf: escape.utf8)
                } else {
                    bytes.append(byte)
                }
            }
        } else {
            bytes.append(contentsOf: text.utf8)
        }
        bytes.append(UInt8(ascii: "\""))
    }

    mutating func value(_ text: String?) {
        if let text { value(text) } else { null() }
    }

    mutating func value(_ flag: Bool) {
        separate()
        bytes.append(flag ? "true" as StaticString : "false")
    }

    mutating func value(_ number: Int64) {
        separate()
        bytes.append(decimal: number)
    }

    // A member whole; `quoted` as in `name`.

    @inline(__always)
    mutating func member(_ quoted: StaticString, _ text: String) {
        name(quoted)
        value(text)
    }

    mutating func member(_ quoted: StaticString, _ text: String?) {
        name(quoted)
        value(text)
    }

    @inline(__always)
    mutating func member(_ quoted: StaticString, _ flag: Bool) {
        name(quoted)
        value(flag)
    }

    mutating func member(_ quoted: StaticString, _ number: Int64) {
        name(quoted)
        value(number)
    }

    mutating func member(_ quoted: StaticString, _ texts: [String]) {
        name(quoted)
        array(texts) { $0.value($1) }
    }

    mutating func null() {
        separate()
        bytes.append("null" as StaticString)
    }

    /// JSON or string content that is known to be sound.
    mutating func raw(_ text: some Sequence<UInt8>) {
        separate()
        bytes.append(contentsOf: text)
    }

    /// A value whose bytes `write` puts down itself.
    @inline(__always)
    mutating func raw(_ write: (inout [UInt8]) -> Void) {
        separate()
        write(&bytes)
    }
}
