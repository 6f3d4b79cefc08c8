/// Whether names are written in the one form that stands for all that look the same.
///
/// Swift's `==` takes "é" written as one character and as two for the same text; look-up tables,
/// the store and the hash chain compare bytes. A name in Unicode's composed form (NFC) is the same
/// for both, so only such names are taken in.
package enum NameForm {
    /// What is wrong with a name, as the end of a sentence; nil when it is composed.
    package static func problem(with name: String) -> String? {
        isComposed(name) ? nil : "is not in Unicode's composed form (NFC); write it so"
    }

    /// Unicode's quick check, where "maybe" counts as no: a mark that some letter composes with is
    /// refused behind any.
    package static func isComposed(_ name: String) -> Bool {
        // Nothing below U+0300, whose first byte is 0xCC, composes or is decomposed.
        if name.utf8.allSatisfy({ $0 < 0xCC }) { return true }
        var last: UInt8 = 0
        for scalar in name.unicodeScalars {
            let properties = scalar.properties
            if properties.isFullCompositionExclusion || isJoining(scalar.value) { return false }
            let order = properties.canonicalCombiningClass.rawValue
            if order != 0, order < last { return false }
            last = order
        }
        return true
    }

    /// Whether the character composes with some other before it.
    private static func isJoining(_ value: UInt32) -> Bool {
        joining.contains { $0.contains(value) }
    }

    private static let joining: [ClosedRange<UInt32>] = [
        0x0300...0x0304, 0x0306...0x030C, 0x030F...0x030F, 0x0311...0x0311, 0x0313...0x0314,
        0x031B...0x031B, 0x0323...0x0328, 0x032D...0x032E, 0x0330...0x0331, 0x0338...0x0338,
        0x0342...0x0342, 0x0345...0x0345, 0x0653...0x0655, 0x093C...0x093C, 0x09BE...0x09BE,
        0x09D7...0x09D7, 0x0B3E...0x0B3E, 0x0B56...0x0B57, 0x0BBE...0x0BBE, 0x0BD7...0x0BD7,
        0x0C56...0x0C56, 0x0CC2...0x0CC2, 0x0CD5...0x0CD6, 0x0D3E...0x0D3E, 0x0D57...0x0D57,
        0x0DCA...0x0DCA, 0x0DCF...0x0DCF, 0x0DDF...0x0DDF, 0x102E...0x102E, 0x1161...0x1175,
        0x11A8...0x11C2, 0x1B35...0x1B35, 0x3099...0x309A, 0x110BA...0x110BA,
        0x11127...0x11127, 0x1133E...0x1133E, 0x11357...0x11357, 0x113B8...0x113B8,
        0x113BB...0x113BB, 0x113C2...0x113C2, 0x113C5...0x113C5, 0x113C7...0x113C9,
        0x114B0...0x114B0, 0x114BA...0x114BA, 0x114BD...0x114BD, 0x115AF...0x115AF,
        0x11930...0x11930, 0x1611E...0x16120, 0x16129...0x16129, 0x16D63...0x16D63,
        0x16D67...0x16D68,
    ]
}
