import MeteringModel

/// A JSON Web Signature in its compact form (RFC 7515 §7.1), taken apart and not yet trusted.
struct CompactJWS {
    /// Tokens come from strangers.
    static let bytesMax = 65_536

    let header: JSONValue
    let payload: [UInt8]
    let signature: [UInt8]
    /// What is signed: the first two parts with the dot between them.
    let signingInput: [UInt8]

    init(_ token: String) throws(TokenError) {
        let bytes = Array(token.utf8)
        guard bytes.count <= Self.bytesMax else {
            throw TokenError(.malformed, "longer than \(Self.bytesMax) bytes")
        }
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3 else {
            throw TokenError(.malformed, "a token has three parts, this has \(parts.count)")
        }
        guard let head = Base64URLText.decode(parts[0]),
            let payload = Base64URLText.decode(parts[1]),
            let signature = Base64URLText.decode(parts[2])
        else { throw TokenError(.malformed, "a part is not base64url without padding") }
        header = try Self.object(head, "header")
        self.payload = payload
        self.signature = signature
        signingInput = Array(bytes[..<parts[1].endIndex])
    }

    static func object(_ bytes: [UInt8], _ part: String) throws(TokenError) -> JSONValue {
        do throws(JSONSyntaxError) {
            // Strict: a repeated member is refused, so no two readers see two tokens.
            let value = try JSONParser.parse(bytes)
            if value.object != nil { return value }
        } catch {
            throw TokenError(.malformed, "the \(part) is \(error)")
        }
        throw TokenError(.malformed, "the \(part) is no object")
    }

    /// The compact form of a header and a payload, but for the signature and its dot.
    static func signingInput(header: JSONValue, payload: JSONValue) -> String {
        Base64URLText.encode(header.canonicalBytes) + "."
            + Base64URLText.encode(payload.canonicalBytes)
    }
}

/// Why a token is not to be trusted.
package struct TokenError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable {
        case malformed
        case algorithm = "algorithm_not_allowed"
        case unknownKey = "unknown_key"
        case signature = "bad_signature"
        case claims = "bad_claims"
        case expired
        case notYetValid = "not_yet_valid"
        case audience = "wrong_audience"
        case issuer = "wrong_issuer"
    }
    package var code: Code
    package var message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
