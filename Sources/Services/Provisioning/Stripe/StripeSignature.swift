import Crypto
package import MeteringModel

/// The `Stripe-Signature` header: `t=<seconds>,v1=<hex>[,v1=<hex>…]`, where each v1 is an
/// HMAC-SHA256 over `<t>.<body>` under one of the endpoint's secrets.
package struct StripeSignature: Sendable {
    package enum Failure: Error, Sendable, Hashable {
        /// No header, or not of the form above, or made with a secret that is not ours.
        case invalid
        /// Made too long ago, or in the future: it may be a recording.
        case expired
    }

    /// How far `t` may be from now, either way, seconds.
    package static let toleranceSeconds: Int64 = 300
    /// More signatures than this in one header are not looked at.
    private static let signaturesMax = 16

    /// As written, because it is part of what is signed.
    private let timestamp: String
    private let signatures: [[UInt8]]

    package init?(header: String) {
        var timestamp: String?
        var signatures: [[UInt8]] = []
        for part in header.split(separator: ",") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2 else { continue }
            let name = pair[0].drop { $0 == " " }
            if name == "t", timestamp == nil {
                timestamp = String(pair[1])
            } else if name == "v1", signatures.count < Self.signaturesMax,
                let bytes = Self.bytes(hex: pair[1])
            {
                signatures.append(bytes)
            }
        }
        guard let timestamp, let seconds = Int64(timestamp), seconds > 0, !signatures.isEmpty else {
            return nil
        }
        self.timestamp = timestamp
        self.signatures = signatures
    }

    /// Checks a body against the header that came with it.
    /// - Parameter secrets: all that are valid now; while one is being replaced there are two.
    package static func verify(
        header: String?, body: [UInt8], secrets: [String], now: Timestamp
    ) throws(Failure) {
        guard let header, let signature = StripeSignature(header: header),
            signature.isMade(with: secrets, over: body)
        else { throw .invalid }
        // Only now: the time of a forged header means nothing.
        guard let seconds = Int64(signature.timestamp) else { throw .invalid }
        let (age, overflow) = now.seconds.subtractingReportingOverflow(seconds)
        if overflow || age.magnitude > toleranceSeconds.magnitude { throw .expired }
    }

    /// The header that a body is sent with. For tests and for sending it on.
    package static func header(body: [UInt8], secret: String, at instant: Timestamp) -> String {
        let timestamp = String(instant.seconds)
        let code = HMAC<SHA256>.authenticationCode(
            for: payload(timestamp, body), using: SymmetricKey(data: Array(secret.utf8)))
        let digits = code.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }
        return "t=\(timestamp),v1=\(digits.joined())"
    }

    private func isMade(with secrets: [String], over body: [UInt8]) -> Bool {
        let payload = Self.payload(timestamp, body)
        var isMade = false
        for secret in secrets where !secret.isEmpty {
            let key = SymmetricKey(data: Array(secret.utf8))
            for signature in signatures {
                // Compares in constant time; all are tried, whichever fits.
                let fits = HMAC<SHA256>.isValidAuthenticationCode(
                    signature, authenticating: payload, using: key)
                isMade = isMade || fits
            }
        }
        return isMade
    }

    private static func payload(_ timestamp: String, _ body: [UInt8]) -> [UInt8] {
        Array(timestamp.utf8) + [UInt8(ascii: ".")] + body
    }

    /// Nil unless the text is the hexadecimal form of 32 bytes.
    private static func bytes(hex: Substring) -> [UInt8]? {
        let digits = Array(hex.utf8)
        guard digits.count == 64 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(32)
        for index in stride(from: 0, to: 64, by: 2) {
            guard let high = nibble(digits[index]), let low = nibble(digits[index + 1]) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func nibble(_ digit: UInt8) -> UInt8? {
        switch digit {
        case 0x30...0x39: digit - 0x30
        case 0x61...0x66: digit - 0x61 + 10
        case 0x41...0x46: digit - 0x41 + 10
        default: nil
        }
    }
}
