import Crypto
package import MeteringModel

/// Public keys for verifying, by key id: the keys of `/.well-known/jwks.json` that are of our kind.
package struct JWKSet: Sendable {
    private var keys: [String: Curve25519.Signing.PublicKey] = [:]

    package init() {}

    /// Reads a JSON Web Key Set (RFC 7517, RFC 8037). Keys of other types and uses are passed over,
    /// as the standard wants; nil when the document is no key set, or an Ed25519 key in it has a
    /// malformed `x`, no `kid`, or the `kid` of another.
    package init?(document: JSONValue) {
        guard let elements = document["keys"]?.elements else { return nil }
        for element in elements {
            guard element["kty"]?.text == "OKP", element["crv"]?.text == "Ed25519",
                element["use"].map({ $0.text == "sig" }) ?? true,
                element["alg"].map({ $0.text == "EdDSA" }) ?? true
            else { continue }
            guard let kid = element["kid"]?.text, let x = element["x"]?.text,
                let raw = Base64URLText.decode(x.utf8), keys[kid] == nil, insert(kid, raw)
            else { return nil }
        }
    }

    /// - Returns: false when the bytes are no key.
    package mutating func insert(_ kid: String, _ publicKey: [UInt8]) -> Bool {
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: publicKey) else {
            return false
        }
        keys[kid] = key
        return true
    }

    package var isEmpty: Bool { keys.isEmpty }

    package func contains(_ kid: String) -> Bool { keys[kid] != nil }

    /// Whether `signature` is the key's, over these very bytes.
    package func isSignature(_ signature: [UInt8], of bytes: [UInt8], kid: String) -> Bool {
        guard let key = keys[kid] else { return false }
        return key.isValidSignature(signature, for: bytes)
    }

    /// The entry of a key in a set.
    static func entry(kid: String, publicKey: [UInt8]) -> JSONValue {
        .object([
            "kty": .string("OKP"), "crv": .string("Ed25519"), "use": .string("sig"),
            "alg": .string("EdDSA"), "kid": .string(kid),
            "x": .string(Base64URLText.encode(publicKey)),
        ])
    }

    /// The first 16 characters of base64url(SHA-256(public key)).
    static func kid(of publicKey: [UInt8]) -> String {
        String(Base64URLText.encode(SHA256.hash(data: publicKey)).prefix(16))
    }
}
