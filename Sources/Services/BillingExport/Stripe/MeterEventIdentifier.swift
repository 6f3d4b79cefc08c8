package import MeteringModel

/// Makes the names that Stripe tells repetitions by. The same parts always make the same name, so
/// that a name can be made anew after everything but the usage is lost.
package struct MeterEventIdentifier: Sendable {
    /// What Stripe takes.
    static let characterCountMax = 100

    /// Tells installations apart that report to one Stripe account.
    private let installation: String
    private let hash: KeyHash

    /// - Parameter hash: of this installation, drawn once.
    package init(hash: KeyHash) {
        self.hash = hash
        installation = Self.hex(hash.hash("stripe meter events"))
    }

    /// `{installation}:{customer}:{meter}:{window start}:{revision}`; where that is too long, or a
    /// name in it could pose as two, the names are hashed.
    func make(
        _ customer: CustomerID, _ meter: MeterKey, _ windowStart: Timestamp, _ revision: Int
    ) -> String {
        let end = "\(windowStart.seconds):\(revision)"
        let names = [customer.rawValue, meter.rawValue]
        let plain = ([installation] + names + [end]).joined(separator: ":")
        if plain.utf8.count <= Self.characterCountMax, names.allSatisfy(Self.isPlain) {
            return plain
        }
        let other = KeyHash(k0: ~hash.k0, k1: ~hash.k1)
        let digest =
            Self.hex(hash.hash(names[0], names[1])) + Self.hex(other.hash(names[0], names[1]))
        return "\(installation):\(digest):\(end)"
    }

    private static func isPlain(_ name: String) -> Bool {
        name.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: ":") }
    }

    private static func hex(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}
