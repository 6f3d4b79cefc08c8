/// A currency by its ISO 4217 code, e.g. `EUR`.
public struct Currency: Hashable, Sendable, Comparable, CustomStringConvertible {
    public let code: String

    /// Nil when it is not three capital letters.
    public init?(_ code: String) {
        let bytes = Array(code.utf8)
        guard bytes.count == 3, bytes.allSatisfy({ (0x41...0x5A).contains($0) }) else { return nil }
        self.code = code
    }

    /// Decimal places of the smallest amount that can be paid (ISO 4217 minor units).
    public var minorUnitPlaces: Int {
        if Self.withoutMinorUnits.contains(code) { return 0 }
        if Self.withThousandths.contains(code) { return 3 }
        return 2
    }

    private static let withoutMinorUnits: Set = [
        "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
        "VUV", "XAF", "XOF", "XPF",
    ]
    private static let withThousandths: Set = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"]

    public var description: String { code }

    public static func < (left: Currency, right: Currency) -> Bool { left.code < right.code }
}

/// How an exact amount becomes whole minor units.
public enum RoundingRule: String, Sendable, Hashable, Codable, CaseIterable {
    /// To the nearest, halves away from zero: what invoices usually do.
    case halfUp = "half_up"
    /// To the nearest, halves to the even one.
    case halfEven = "half_even"
    /// Away from zero.
    case up
    /// Towards zero.
    case down
}
