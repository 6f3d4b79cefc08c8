import Crypto

/// The form of an API key: `tg_live_`, 28 random letters and digits (166 bits), and a checksum of
/// all that in six more. Scanners for leaked secrets know it by its beginning; a typing error is
/// told from an unknown key without looking anything up.
package enum AccessSecret {
    package static let prefix = "tg_live_"
    private static let randomCount = 28
    private static let checksumCount = 6
    private static let alphabet = Array(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// A new key. The system's generator is the cryptographic one.
    package static func make(
        using generator: inout some RandomNumberGenerator
    ) -> String {
        var bytes = Array(prefix.utf8)
        for _ in 0..<randomCount {
            bytes.append(alphabet[Int.random(in: 0..<alphabet.count, using: &generator)])
        }
        bytes += checksum(bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Whether the checksum is that of the rest: false for a typing error.
    package static func isWellFormed(_ secret: [UInt8]) -> Bool {
        let body = prefix.utf8.count + randomCount
        guard secret.count == body + checksumCount, secret.starts(with: prefix.utf8) else {
            return false
        }
        return secret[body...].elementsEqual(checksum(secret[..<body]))
    }

    /// Base62, most significant digit first, always of the same length (62⁶ > 2³²).
    private static func checksum(_ bytes: some Sequence<UInt8>) -> [UInt8] {
        var rest = Int(CRC32.checksum(bytes))
        var digits: [UInt8] = []
        for _ in 0..<checksumCount {
            digits.append(alphabet[rest % alphabet.count])
            rest /= alphabet.count
        }
        return digits.reversed()
    }
}

/// SHA-256 of a secret, as a value that hashes and compares without allocating.
struct SecretDigest: Hashable, Sendable {
    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    init(of secret: [UInt8]) { self.init(SHA256.hash(data: secret)) }

    /// Nil unless it has 32 bytes.
    init?(stored bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        self.init(bytes)
    }

    private init(_ bytes: some Sequence<UInt8>) {
        var index = 0
        for byte in bytes {
            let part = UInt64(byte) << UInt64(index % 8 * 8)
            switch index / 8 {
            case 0: words.0 |= part
            case 1: words.1 |= part
            case 2: words.2 |= part
            default: words.3 |= part
            }
            index += 1
        }
    }

    /// The 32 bytes, in their order.
    var bytes: [UInt8] {
        [words.0, words.1, words.2, words.3].flatMap { word in
            (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64($0 * 8)) }
        }
    }

    /// Takes the same time wherever the two differ.
    static func == (left: Self, right: Self) -> Bool {
        let difference =
            (left.words.0 ^ right.words.0) | (left.words.1 ^ right.words.1)
            | (left.words.2 ^ right.words.2) | (left.words.3 ^ right.words.3)
        return difference == 0
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
    }
}
