import Crypto
package import MeteringModel

/// Ids that the control plane makes: the same from the same parts, on every machine.
package enum RecordNames {
    /// `<prefix>_` and 16 letters of SHA-256(request, ordinal).
    package static func id(_ prefix: String, request: String, ordinal: Int) -> String {
        "\(prefix)_\(digest([request, String(ordinal)]))"
    }

    /// The revocation of a product from an instant on: asked for twice, it is one.
    package static func revocation(
        _ customer: CustomerID, _ product: ProductKey, at instant: Timestamp
    ) -> String {
        "rv_\(digest([customer.rawValue, product.rawValue, String(instant.seconds)]))"
    }

    /// Parts with their lengths, so that none can pose as two.
    package static func joined(_ parts: [String]) -> String {
        parts.map { "\($0.utf8.count):\($0)" }.joined()
    }

    /// A seat's record: customer, feature, holder.
    package static func seat(
        _ customer: CustomerID, _ feature: FeatureKey, _ holder: String
    ) -> String {
        joined([customer.rawValue, feature.rawValue, holder])
    }

    private static func digest(_ parts: [String]) -> String {
        base32(Array(SHA256.hash(data: Array(joined(parts).utf8)).prefix(10)))
    }

    /// RFC 4648 in lower case, without padding.
    private static func base32(_ bytes: [UInt8]) -> String {
        let letters = Array("abcdefghijklmnopqrstuvwxyz234567")
        var text = ""
        var buffer: UInt32 = 0
        var bits = 0
        for byte in bytes {
            buffer = buffer << 8 | UInt32(byte)
            bits += 8
            while bits >= 5 {
                bits -= 5
                text.append(letters[Int(buffer >> UInt32(bits)) & 31])
            }
        }
        if bits > 0 { text.append(letters[Int(buffer << UInt32(5 - bits)) & 31]) }
        return text
    }
}
